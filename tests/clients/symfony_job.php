<?php
// SPDX-License-Identifier: Apache-2.0
// Messages from end to end with Symfony Messenger: PORT. One handler fails once, so that its message is sent again.
require_once 'Symfony/Component/Messenger/autoload.php';
require_once 'Symfony/Component/Messenger/Bridge/Beanstalkd/autoload.php';
require_once 'Symfony/Component/EventDispatcher/autoload.php';

use Symfony\Component\EventDispatcher\EventDispatcher;
use Symfony\Component\Messenger\Bridge\Beanstalkd\Transport\BeanstalkdTransportFactory;
use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\EventListener\SendFailedMessageForRetryListener;
use Symfony\Component\Messenger\EventListener\StopWorkerOnMessageLimitListener;
use Symfony\Component\Messenger\Handler\HandlersLocator;
use Symfony\Component\Messenger\MessageBus;
use Symfony\Component\Messenger\Middleware\HandleMessageMiddleware;
use Symfony\Component\Messenger\Retry\MultiplierRetryStrategy;
use Symfony\Component\Messenger\Stamp\DelayStamp;
use Symfony\Component\Messenger\Transport\Serialization\PhpSerializer;
use Symfony\Component\Messenger\Worker;

class Mail
{
    public $to;

    public function __construct(string $to)
    {
        $this->to = $to;
    }
}

class One implements Psr\Container\ContainerInterface
{
    private $thing;

    public function __construct($thing)
    {
        $this->thing = $thing;
    }

    public function get(string $id)
    {
        return $this->thing;
    }

    public function has(string $id): bool
    {
        return true;
    }
}

function same($wanted, $got): void
{
    if ($wanted !== $got) {
        throw new RuntimeException(var_export($got, true).' where '.var_export($wanted, true).' was due');
    }
}

$transport = (new BeanstalkdTransportFactory())->createTransport(
    "beanstalkd://127.0.0.1:{$argv[1]}?tube_name=symfony&timeout=5&ttr=60", [], new PhpSerializer());
$transport->send(new Envelope(new Mail('ann')));
$transport->send(new Envelope(new Mail('bob')));
$transport->send(new Envelope(new Mail('late'), [new DelayStamp(600000)]));
same(2, $transport->getMessageCount());

$sent = [];
$failed = 0;
$bus = new MessageBus([new HandleMessageMiddleware(new HandlersLocator([
    Mail::class => [function (Mail $mail) use (&$sent, &$failed) {
        if ('bob' === $mail->to && 0 === $failed) {
            ++$failed;
            throw new RuntimeException('the mail server is down');
        }
        $sent[] = $mail->to;
    }],
]))]);
$events = new EventDispatcher();
$events->addSubscriber(new StopWorkerOnMessageLimitListener(3));
$events->addSubscriber(new SendFailedMessageForRetryListener(
    new One($transport), new One(new MultiplierRetryStrategy(3, 1000, 1))));
(new Worker(['jobs' => $transport], $bus, $events))->run(['sleep' => 10000]);
same(['ann', 'bob'], $sent);
same(1, $failed);
same(0, $transport->getMessageCount());
echo "done\n";
