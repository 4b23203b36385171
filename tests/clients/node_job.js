// SPDX-License-Identifier: Apache-2.0
// A job from end to end with node-beanstalk, by a producer and by a pool of consumers: PORT.
'use strict';
const assert = require('assert');
const { Client, Pool } = require('node-beanstalk');
const { JsonSerializer } = require('node-beanstalk/dist/serializer/JsonSerializer');

async function main(port) {
  const options = { host: '127.0.0.1', port, serializer: new JsonSerializer() };
  const producer = new Client(options);
  await producer.connect();
  await producer.use('node');
  const mails = [{ to: 'ann', n: 1 }, { to: 'bob', n: 2 }, { to: 'cyd', n: 3 }];
  const put = [];
  for (const mail of mails)
    put.push(await producer.put(mail, 60, mail.n));
  assert.deepStrictEqual(put.map((job) => job.state), ['ready', 'ready', 'ready']);
  const late = await producer.put('late', 60, 0, 600);
  assert.strictEqual((await producer.peekDelayed()).id, late.id);

  const pool = new Pool({ capacity: 2, clientOptions: options });
  const consumer = await pool.connect();
  await consumer.watch('node');
  await consumer.ignore('default');
  const first = await consumer.reserveWithTimeout(10);
  assert.strictEqual(first.id, put[0].id);
  assert.deepStrictEqual(first.payload, mails[0]);
  assert.strictEqual(await consumer.touch(first.id), true);
  assert.strictEqual(await consumer.release(first.id, 9), 'ready');
  const second = await consumer.reserveWithTimeout(10);
  assert.deepStrictEqual(second.payload, mails[1]);
  assert.strictEqual(await consumer.bury(second.id, 2), true);
  assert.strictEqual((await producer.peekBuried()).id, second.id);
  assert.strictEqual(await producer.kick(10), 1);
  const done = [];
  for (let job; (job = await consumer.reserveWithTimeout(0));) {
    done.push(job.payload.to);
    assert.strictEqual(await consumer.delete(job.id), true);
  }
  assert.deepStrictEqual(done, ['bob', 'cyd', 'ann']);
  const stats = await producer.statsTube('node');
  assert.strictEqual(stats['total-jobs'], 4);
  assert.strictEqual(stats['current-jobs-delayed'], 1);
  assert.strictEqual((await producer.statsJob(late.id)).state, 'delayed');
  assert.strictEqual(await producer.delete(late.id), true);
  consumer.releaseClient();
  await pool.disconnect();
  await producer.disconnect();
  console.log('done');
}

main(Number(process.argv[2])).catch((error) => {
  console.error(error);
  process.exit(1);
});
