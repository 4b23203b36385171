<?php
// SPDX-License-Identifier: Apache-2.0
// Jobs from end to end with Laravel's queue and its worker: PORT. One job fails once, and is tried again.
require_once 'Illuminate/Queue/autoload.php';
require_once 'Illuminate/Events/autoload.php';
require_once 'Pheanstalk/autoload.php';

use Illuminate\Container\Container;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Events\Dispatcher;
use Illuminate\Queue\Capsule\Manager;
use Illuminate\Queue\Worker;
use Illuminate\Queue\WorkerOptions;

class SendMail
{
    public static $sent = [];
    public static $failed = 0;

    public function fire($job, array $data): void
    {
        if ('bob' === $data['to'] && 0 === self::$failed) {
            ++self::$failed;
            throw new RuntimeException('the mail server is down');
        }
        self::$sent[] = [$data['to'], $job->attempts()];
        $job->delete();
    }
}

class Quiet implements ExceptionHandler
{
    public function report(Throwable $error)
    {
        if ('the mail server is down' !== $error->getMessage()) {
            fwrite(STDERR, "$error\n");
        }
    }

    public function shouldReport(Throwable $error)
    {
        return true;
    }

    public function render($request, Throwable $error)
    {
    }

    public function renderForConsole($output, Throwable $error)
    {
    }
}

function same($wanted, $got): void
{
    if ($wanted !== $got) {
        throw new RuntimeException(var_export($got, true).' where '.var_export($wanted, true).' was due');
    }
}

$container = new Container();
Container::setInstance($container);
$events = new Dispatcher($container);
$container->instance('events', $events);
$manager = new Manager($container);
$manager->addConnection(['driver' => 'beanstalkd', 'host' => '127.0.0.1', 'port' => (int) $argv[1],
    'queue' => 'laravel', 'retry_after' => 60, 'block_for' => 5]);
$queue = $manager->getConnection();
$queue->push('SendMail', ['to' => 'ann']);
$queue->push('SendMail', ['to' => 'bob']);
$queue->later(600, 'SendMail', ['to' => 'late']);
same(2, $queue->size());

$worker = new Worker($manager->getQueueManager(), $events, new Quiet(), function () {
    return false;
});
$options = new WorkerOptions('default', 0, 128, 60, 0, 3);
for ($i = 0; $i < 3; $i++) {
    $worker->runNextJob('default', 'laravel', $options);
}
same([['ann', 1], ['bob', 2]], SendMail::$sent);
same(1, SendMail::$failed);
same(0, $queue->size());
echo "done\n";
