#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Three small applications behind weir, live.

Starts the applications and weir in a folder of their own under the temporary directory, sends a gentle
load, and shows who serves. `k 2` kills member 2 with SIGKILL, `s 2` starts it again, `q` or Ctrl-C ends.
However it ends, nothing is left behind: no process, no folder, no changed terminal.
"""

import argparse
import collections
import errno
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty

N_MEMBERS = 3
PORT_LIKED = 8080
POLL_S = 0.5  # how often weir is asked, and the screen drawn
WINDOW = 4  # polls that a rate is taken over
HISTORY = 28  # polls in the little curve
START_S = 15.0  # for weir and its members to be up
STOP_S = 8.0  # for weir to drain; then it is killed
CLIENTS = 4  # connections of the load

CONFIGURATION = """\
# What ./run demo serves: one address, {n} members, each asked every half second whether it lives.
listen demo http 127.0.0.1:{port} {{
    route pool apps
}}

pool apps {{
    check http path /healthz expect 200 every 500ms timeout 400ms fall 2 rise 1
{members}
}}
"""


class Failure(Exception):
    """What a person should read before the demo ends."""


class Ending(Exception):
    """Somebody wants it to end."""


# ---- processes -------------------------------------------------------------------------------------


def die_with_us():
    """A prefix that has the kernel end the child when the demo is killed by something nobody can catch."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def spawn(command, **pipes):
    """In a session of its own, so that Ctrl-C and a closed terminal reach the demo alone."""
    return subprocess.Popen(die_with_us() + command, stdin=subprocess.DEVNULL, start_new_session=True, **pipes)


class App:
    """One application: a member of the pool."""

    def __init__(self, program, number):
        self.program = program
        self.number = number
        self.name = f"app{number}"
        self.port = 0  # the first start takes a free one, later ones take it again
        self.process = None

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        self.process = spawn(
            [self.program, self.name, str(self.port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        line = self.process.stdout.readline().decode(errors="replace")
        found = re.search(r":(\d+)\s*$", line)
        if not found:
            raise Failure(f"{self.name} did not start: {self.program} said {line.strip()!r}")
        self.port = int(found.group(1))

    def kill(self):
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None


class UnixConnection(http.client.HTTPConnection):
    """http.client over the admin socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Weir:
    """The program under demonstration, and what it says of itself."""

    def __init__(self, program, folder, port, apps):
        self.program = program
        self.port = port
        self.file = os.path.join(folder, "demo.weir")
        self.state = os.path.join(folder, "state")
        self.log_path = os.path.join(folder, "weir.log")
        self.log = None
        self.process = None
        members = "\n".join(f"    member {app.name} 127.0.0.1:{app.port}" for app in apps)
        os.mkdir(self.state, 0o755)
        os.chmod(folder, 0o755)
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(n=len(apps), port=port, members=members))

    def start(self):
        self.log = open(self.log_path, "wb")
        self.process = spawn(
            [self.program, "run", self.file, "--state", self.state], stdout=self.log, stderr=self.log
        )

    def status(self):
        """What /v1/status says, or None while nobody answers."""
        connection = UnixConnection(os.path.join(self.state, "admin.sock"), 2)
        try:
            connection.request("GET", "/v1/status")
            return json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def check_alive(self):
        code = self.process.poll()
        if code is None:
            return
        how = f"by signal {-code}" if code < 0 else f"with status {code}"
        raise Failure(f"weir ended {how}. Its last words:\n{self.last_words()}")

    def last_words(self, n_lines=12):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()[-n_lines:]
        except OSError:
            lines = []
        return "\n".join("    " + line for line in lines) or "    (nothing)"

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.log is not None:
            self.log.close()


# ---- load ------------------------------------------------------------------------------------------


class Load:
    """A few keep-alive connections that ask at a steady rate, as a browser would who reloads a lot."""

    def __init__(self, port, rate):
        self.port = port
        self.rate = rate
        self.lock = threading.Lock()
        self.n_answered = 0
        self.n_failed = 0
        self.last_failure = ""
        self.served = collections.Counter()  # by the name that the answer gives
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(i,), daemon=True) for i in range(CLIENTS)]

    def start(self):
        for thread in self.threads if self.rate else []:
            thread.start()

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join(2)

    def ask(self, index):
        period = CLIENTS / self.rate
        due = time.monotonic() + index * period / CLIENTS
        connection = None
        while not self.is_over.wait(max(0.0, due - time.monotonic())):
            due = max(due + period, time.monotonic() - 1)
            connection = self.ask_once(connection)
        if connection:
            connection.close()

    def ask_once(self, connection):
        """One request; returns the connection for the next one, None where it cannot be used again."""
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.connect()
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.request("GET", "/")
            response = connection.getresponse()
            body = response.read().decode(errors="replace")
            name = body.strip().rpartition(" ")[2]
            if response.status != 200 or not name.startswith("app"):
                raise ValueError(f"{response.status} {response.reason}: {body.strip()[:60]}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not self.is_over.is_set():
                with self.lock:
                    self.n_failed += 1
                    self.last_failure = str(error) or type(error).__name__
            if connection:
                connection.close()
            return None
        with self.lock:
            self.n_answered += 1
            self.served[name] += 1
        if response.will_close:
            connection.close()
            return None
        return connection


# ---- the screen ------------------------------------------------------------------------------------


class Style:
    """Colours, where the terminal has them and nobody said NO_COLOR."""

    def __init__(self, is_live):
        self.is_coloured = is_live and not os.environ.get("NO_COLOR")
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        self.is_utf8 = encoding == "utf8"

    def paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.is_coloured else text

    def bold(self, text):
        return self.paint("1", text)

    def dim(self, text):
        return self.paint("2", text)

    def state(self, state, text):
        return self.paint({"up": "32", "down": "1;31"}.get(state, "33"), text)

    def curve(self, values, top, width):
        steps = " ▁▂▃▄▅▆▇█" if self.is_utf8 else " .:-=+*#"
        last = len(steps) - 1
        shown = list(values)[-width:] if width > 0 else []
        heights = (0 if v <= 0 else max(1, min(last, round(v / top * last))) for v in shown)
        return "".join(steps[h] for h in heights).rjust(width)


SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def cut(line, width):
    """The line without what is beyond the terminal's edge, so that none ever wraps."""
    kept, n, at = [], 0, 0
    while at < len(line) and n < width:
        sequence = SEQUENCE.match(line, at)
        if sequence:
            kept.append(sequence.group())
            at = sequence.end()
        else:
            kept.append(line[at])
            at += 1
            n += 1
    return "".join(kept) + ("\x1b[0m" if len(kept) != n else "")


class Screen:
    """Lines that are drawn over each other on a terminal, and appended anywhere else."""

    def __init__(self):
        self.is_live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.style = Style(self.is_live)
        self.n_drawn = 0
        self.is_hidden = False
        self.saved = None

    def enter(self):
        if sys.stdin.isatty():
            self.saved = self.saved or termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        if self.is_live:
            self.write("\x1b[?25l")
            self.is_hidden = True

    def leave(self):
        try:
            if self.is_hidden:
                self.write("\x1b[?25h")
                self.is_hidden = False
        except OSError:
            pass  # the terminal is gone
        if self.saved is not None:
            try:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.saved)
            except (termios.error, OSError):
                pass

    def write(self, text):
        sys.stdout.write(text)
        sys.stdout.flush()

    def draw(self, lines):
        size = shutil.get_terminal_size()
        lines = [cut(line, size.columns - 1) for line in lines[: max(1, size.lines - 1)]]
        up = f"\x1b[{self.n_drawn}F" if self.n_drawn else ""
        self.write(up + "".join(line + "\x1b[K\n" for line in lines) + "\x1b[J")
        self.n_drawn = len(lines)

    def forget(self):
        """The next drawing starts on a clean screen: the terminal has changed its size."""
        if self.is_live:
            self.write("\x1b[2J\x1b[H")
        self.n_drawn = 0


# ---- what is seen ----------------------------------------------------------------------------------


def age(since, now):
    """"4 s" between two RFC 3339 times as weir writes them."""
    if not since or not now:
        return ""
    seconds = max(0, int(stamp(now) - stamp(since)))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} m"


def stamp(text):
    whole, _, rest = text.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (rest or "0"))


class Member:
    """A row of the table: what weir says of one member, and how that moved."""

    def __init__(self, app):
        self.app = app
        self.state = "unknown"
        self.reason = ""
        self.age = ""
        self.requests = 0
        self.counts = collections.deque(maxlen=WINDOW + 1)  # (time, requests)
        self.history = collections.deque(maxlen=HISTORY)

    def see(self, data, at, now):
        """Takes weir's word over; returns the former state."""
        former = self.state
        self.state = data["state"]
        self.reason = data.get("reason", "")
        self.age = age(data.get("since"), now)
        self.requests = data.get("requests", 0)
        if self.counts:
            passed = at - self.counts[-1][0]
            self.history.append((self.requests - self.counts[-1][1]) / passed if passed > 0 else 0)
        self.counts.append((at, self.requests))
        return former

    def forget(self):
        """What was asked for in quick succession, while weir came up, makes no curve."""
        self.counts.clear()
        self.history.clear()

    @property
    def rate(self):
        if len(self.counts) < 2:
            return 0.0
        (t0, n0), (t1, n1) = self.counts[0], self.counts[-1]
        return (n1 - n0) / (t1 - t0) if t1 > t0 else 0.0


class Demo:
    def __init__(self, options):
        self.options = options
        self.folder = None
        self.apps = []
        self.members = []
        self.weir = None
        self.load = None
        self.screen = Screen()
        self.events = collections.deque(maxlen=6)
        self.typed = ""
        self.hint = ""
        self.has_status = False
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        self.signals = []
        self.stdin_is_open = True
        self.is_begun = False

    # ---- starting and ending ----

    def catch_signals(self):
        def note(number, _frame):
            self.signals.append(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGTSTP):
            signal.signal(number, note)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)

    def begin(self):
        for program in (self.options.weir, self.options.app):
            if not os.access(program, os.X_OK):
                raise Failure(f"{program} is not there; `./run build` makes it")
        self.folder = tempfile.mkdtemp(prefix="weir-demo-")
        for number in range(1, N_MEMBERS + 1):
            self.apps.append(App(self.options.app, number))
            self.apps[-1].start()
        self.members = [Member(app) for app in self.apps]
        self.weir = Weir(self.options.weir, self.folder, free_port(self.options.port), self.apps)
        self.weir.start()
        self.load = Load(self.weir.port, self.options.rate)
        self.wait_until_up()

    def wait_until_up(self):
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            self.take_signals()
            self.weir.check_alive()
            if self.poll() and all(member.state == "up" for member in self.members):
                self.events.clear()
                for member in self.members:
                    member.forget()
                self.is_begun = True
                return
            time.sleep(0.05)
        raise Failure(f"weir was not serving after {START_S:.0f} s. Its last words:\n{self.weir.last_words()}")

    def end(self):
        """Takes everything away again, whatever of it is there."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGWINCH):
            signal.signal(number, signal.SIG_IGN)
        self.screen.leave()
        for step in [self.load and self.load.stop, self.weir and self.weir.stop] + [app.kill for app in self.apps]:
            try:
                if step:
                    step()
            except (OSError, subprocess.SubprocessError):
                pass
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- one round ----

    def note(self, text):
        self.events.append((time.strftime("%H:%M:%S"), text))
        if not self.screen.is_live and self.is_begun:
            self.screen.write(f"{time.strftime('%H:%M:%S')}  {text}\n")

    def poll(self):
        """Asks weir; False where it does not answer."""
        status = self.weir.status()
        self.has_status = status is not None
        if status is None:
            return False
        at = time.monotonic()
        by_name = {m["name"]: m for pool in status["pools"] if pool["name"] == "apps" for m in pool["members"]}
        for member in self.members:
            data = by_name.get(member.app.name)
            if data is None:
                continue
            former = member.see(data, at, status.get("time"))
            if former != member.state:
                reason = f": {member.reason}" if member.reason else ""
                self.note(f"weir: {member.app.name} is {member.state}{reason}")
        return True

    def take_signals(self):
        while self.signals:
            number = self.signals.pop(0)
            if number == signal.SIGWINCH:
                self.screen.forget()
            elif number == signal.SIGTSTP:
                self.screen.leave()
                os.kill(os.getpid(), signal.SIGSTOP)
                self.screen.enter()
                self.screen.forget()
            else:
                raise Ending

    def wait(self, seconds):
        """Until the time is over; keys and signals are served at once."""
        deadline = time.monotonic() + seconds
        while True:
            self.take_signals()
            rest = deadline - time.monotonic()
            if rest <= 0:
                return
            sources = [self.wake_read] + ([sys.stdin.fileno()] if self.stdin_is_open else [])
            ready, _, _ = select.select(sources, [], [], rest)
            if self.wake_read in ready:
                os.read(self.wake_read, 64)
            if self.stdin_is_open and sys.stdin.fileno() in ready:
                self.read_keys()

    # ---- commands ----

    def read_keys(self):
        try:
            keys = os.read(sys.stdin.fileno(), 256).decode(errors="replace")
        except OSError as error:
            if error.errno == errno.EIO:
                raise Ending from error  # the terminal is gone
            raise
        if not keys:
            self.stdin_is_open = False
            if sys.stdin.isatty():
                raise Ending
            return
        for key in keys:
            self.take_key(key)
        if self.screen.is_live:
            self.draw()

    def take_key(self, key):
        """A command is complete with its number, so that Enter is not needed, though it may come."""
        self.hint = self.hint if key in "\r\n" else ""
        if key in "\x7f\b":
            self.typed = self.typed[:-1]
        elif key in "\r\n":
            self.typed = ""
        elif key in "qQ\x04":
            raise Ending
        elif key == "\x1b":
            self.typed = ""
        elif key.isprintable():
            self.typed += key
        found = re.fullmatch(r"\s*([ksKS])\s*(\d)", self.typed)
        if found:
            self.typed = ""
            self.command(found.group(1).lower(), int(found.group(2)))
        elif not re.fullmatch(r"\s*([ksKS]\s*)?", self.typed):
            self.hint = f"{self.typed.strip()!r} is no command"
            self.typed = ""

    def command(self, verb, number):
        if not 1 <= number <= len(self.apps):
            self.hint = f"there are members 1 to {len(self.apps)}"
            return
        app = self.apps[number - 1]
        if verb == "k" and not app.is_running:
            self.hint = f"{app.name} is dead already"
        elif verb == "s" and app.is_running:
            self.hint = f"{app.name} runs already"
        elif verb == "k":
            pid = app.process.pid
            app.kill()
            self.note(f"you:  killed {app.name} (SIGKILL to process {pid})")
        else:
            app.kill()  # forgets one that died by itself
            app.start()
            self.note(f"you:  started {app.name} again (process {app.process.pid})")

    # ---- drawing ----

    def load_line(self):
        if not self.options.rate:
            return "none; bring your own"
        with self.load.lock:
            n_answered, n_failed, why = self.load.n_answered, self.load.n_failed, self.load.last_failure
        failed = f"{n_failed} failed"
        style = self.screen.style
        failed = style.paint("1;31", f"{failed} (last: {why})") if n_failed else style.paint("32", failed)
        return f"{self.options.rate} requests a second from this demo: {n_answered:,} answered, {failed}"

    def table(self):
        style = self.screen.style
        total = sum(member.requests for member in self.members) or 1
        top = max([self.options.rate / 2] + [value for member in self.members for value in member.history])
        head = f"  {'member':<9}{'address':<18}{'state':<13}{'requests':>10}{'share':>9}{'a second':>10}"
        width = max(0, min(HISTORY, shutil.get_terminal_size().columns - len(head) - 4))
        yield style.dim(head + (f"   last {width * POLL_S:.0f} s" if width > 9 else ""))
        for member in self.members:
            state = member.state + (f" {member.age}" if member.age else "")
            curve = style.paint("36", style.curve(member.history, top, width))
            yield (
                f"  {style.bold(f'{member.app.number} {member.app.name}'.ljust(9))}"
                f"{f'127.0.0.1:{member.app.port}':<18}"
                f"{style.state(member.state, state.ljust(13))}{member.requests:>10,}"
                f"{member.requests / total * 100:>7.1f} %{member.rate:>10.1f}   {curve}"
            )

    def frame(self):
        style = self.screen.style
        address = f"http://127.0.0.1:{self.weir.port}/"
        yield ""
        yield f"  {style.bold('weir')} serves {style.bold(address)} from {len(self.apps)} application processes"
        yield ""
        yield f"  {style.dim('try ')}  curl {address}"
        yield f"  {style.dim('file')}  {self.weir.file}"
        yield f"  {style.dim('load')}  {self.load_line()}"
        yield ""
        yield from self.table()
        yield ""
        if not self.has_status:
            yield style.paint("33", "  weir's admin socket does not answer")
        for at, text in self.events:
            yield f"  {style.dim(at)}  {text}"
        if self.events:
            yield ""
        keys = f"  {style.bold('k 2')} kills member 2   {style.bold('s 2')} starts it again   {style.bold('q')} ends"
        yield f"{keys}   {style.paint('33', self.hint) if self.hint else style.bold('> ') + self.typed}"

    def draw(self):
        self.screen.draw(list(self.frame()))

    def print_line(self):
        cells = (f"{m.app.name} {m.state} {m.requests} ({m.rate:.1f}/s)" for m in self.members)
        self.screen.write(f"{time.strftime('%H:%M:%S')}  {'  '.join(cells)}  load {self.load_line()}\n")

    def say_hello(self):
        if self.screen.is_live:
            return
        address = f"http://127.0.0.1:{self.weir.port}/"
        self.screen.write(f"weir serves {address} from {len(self.apps)} application processes\n")
        self.screen.write(f"try   curl {address}\nfile  {self.weir.file}\n")
        self.screen.write("k 2 kills member 2, s 2 starts it again, q or Ctrl-C ends\n")

    def say_goodbye(self):
        if self.options.rate:
            with self.load.lock:
                served = ", ".join(f"{name} {n:,}" for name, n in sorted(self.load.served.items()))
            self.screen.write(f"  load    {self.load_line()}\n  served  {served or 'nothing'}\n")

    def run(self):
        self.begin()
        self.say_hello()
        self.screen.enter()
        self.load.start()
        n_round = 0
        while True:
            self.weir.check_alive()
            self.poll()
            if self.screen.is_live:
                self.draw()
            elif n_round % 2 == 0:
                self.print_line()
            n_round += 1
            self.wait(POLL_S)


def free_port(liked):
    """The port that is asked for where it is free, any other otherwise."""
    for port in (liked, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                probe.listen(1)
                return probe.getsockname()[1]
            except OSError:
                continue
    raise Failure("there is no free port on 127.0.0.1")


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(prog="./run demo", description="Three small applications behind weir, live.")
    parser.add_argument("--weir", default=os.path.join(root, "build", "weir"), help="the program (%(default)s)")
    parser.add_argument("--app", default=os.path.join(root, "build", "weir-app"), help="the application (%(default)s)")
    parser.add_argument("--port", type=int, default=PORT_LIKED, help="where to listen (%(default)s, or a free one)")
    parser.add_argument("--rate", type=int, default=50, help="requests a second of its own load (%(default)s; 0: none)")
    demo = Demo(parser.parse_args())
    demo.catch_signals()
    try:
        demo.run()
    except Ending:
        demo.screen.leave()
        try:
            if demo.load:
                demo.say_goodbye()
            demo.screen.write("  stopping ...\n")
        except OSError:
            pass
        demo.end()
        return 0
    except Failure as failure:
        demo.end()
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    finally:
        demo.end()


if __name__ == "__main__":
    try:
        code = main()
        sys.stdout.flush()
    except OSError:
        code = 1
    os._exit(code)
