# SPDX-License-Identifier: Apache-2.0
"""New clients of a site, one each few milliseconds, as a program of its own: run in the clients' host until standard
input ends.

    newcomers.py ADDRESS PORT EVERY_MS

Each asks once, on a connection of its own, and waits for at most 10 s. At the end a line of JSON: of each, in the order
in which they came, by the clock on the wall: when it came, when it was connected (or null), when it was answered (or
null), and by whom, or what went wrong."""
import asyncio
import json
import sys
import time

WAIT_S = 10


async def ask(address, port):
    seen = {"came": time.time(), "connected": None, "answered": None, "said": None}
    writer = None
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), WAIT_S)
        seen["connected"] = time.time()
        writer.write(b"GET / HTTP/1.1\r\nHost: www.example.org\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), WAIT_S)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise OSError(answer[:20].decode(errors="replace") or "closed")
        seen["answered"] = time.time()
        seen["said"] = answer.rsplit(b"\r\n\r\n", 1)[-1].decode(errors="replace").strip()
    except (OSError, asyncio.TimeoutError) as complaint:
        seen["said"] = type(complaint).__name__
    finally:
        if writer:
            writer.close()
    return seen


async def main(address, port, every_s):
    loop = asyncio.get_running_loop()
    end = loop.run_in_executor(None, sys.stdin.read)
    tasks, at = [], loop.time()
    while not end.done():
        tasks.append(asyncio.create_task(ask(address, port)))
        at = max(at + every_s, loop.time())
        await asyncio.sleep(at - loop.time())
    print(json.dumps([await task for task in tasks]), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1000))
