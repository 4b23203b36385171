# SPDX-License-Identifier: Apache-2.0
# A job from end to end with beaneater, by hand and by its worker loop: PORT.
require 'beaneater'

def same(wanted, got)
  raise "#{got.inspect} where #{wanted.inspect} was due" unless wanted == got
end

beanstalk = Beaneater.new("127.0.0.1:#{ARGV[0]}")
tube = beanstalk.tubes['ruby']
put = tube.put("a body\r\nof two lines", pri: 5, ttr: 60)
same 'INSERTED', put[:status]

job = tube.reserve(10)
same put[:id], job.id
same "a body\r\nof two lines", job.body
same 5, job.stats.pri
job.touch
job.bury
same put[:id], tube.peek(:buried).id
same true, tube.kick(10)[:status] == 'KICKED'
job = tube.reserve(10)
same 1, job.stats.buries
job.release(pri: 7)
job = beanstalk.jobs.find(put[:id])
same 7, job.stats.pri
same 'ready', job.stats.state

tube.put('late', delay: 600)
same 'late', tube.peek(:delayed).body
tube.peek(:delayed).delete
same 2, tube.stats.total_jobs

seen = []
beanstalk.jobs.register('ruby') do |one|
  seen << one.body
  raise Beaneater::AbortProcessingError if seen.size == 2
end
tube.put('the last')
beanstalk.jobs.process!
same ["a body\r\nof two lines", 'the last'].sort, seen.sort
same true, beanstalk.stats.keys.include?('current_connections')
beanstalk.close
puts 'done'
