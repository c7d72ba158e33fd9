"""The server under load: many streams at once against one stream, on the same machine.

    python examples/bench/bench_server.py build/bin/loquor-server [--streams 64] [--tokens 128] [SERVER-OPTIONS]

Every stream asks another question and wants exactly --tokens tokens. The client runs beside the server, on the same cores.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import time


async def stream(port, question, tokens):
    """(seconds to the first token, seconds in all, tokens) of one streamed answer."""
    body = json.dumps({
        "messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": tokens, "ignore_eos": True, "stream": True,
        "stream_options": {"include_usage": True},
    }).encode()
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    first, last, done = None, b"", False
    while line := await reader.readline():
        if not line.startswith(b"data: "):
            continue
        if line.startswith(b"data: [DONE]"):
            done = True
        else:
            last = line
            if first is None and b'"content":""' not in line:
                first = time.perf_counter() - began
    writer.close()
    if not done:
        raise RuntimeError(f"a stream ended early: {last[:200]}")
    return first, time.perf_counter() - began, json.loads(last[6:])["usage"]["completion_tokens"]


async def run(port, streams, tokens):
    began = time.perf_counter()
    results = await asyncio.gather(*(stream(port, f"Tell me {i + 1} things about the number {7 * i + 3}.", tokens) for i in range(streams)))
    seconds = time.perf_counter() - began
    firsts = sorted(r[0] for r in results)
    made = sum(r[2] for r in results)
    return {
        "streams": streams, "tokens": made, "tokens_per_second": made / seconds, "lost": sum(r[2] != tokens for r in results),
        "first_token_p50": statistics.median(firsts), "first_token_p99": firsts[min(len(firsts) - 1, int(0.99 * len(firsts)))],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=128)
    a, server_options = parser.parse_known_args()
    with subprocess.Popen([a.server, "--port", "0", "--parallel", str(a.streams), *server_options], stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline().rsplit(":", 1)[1])
            asyncio.run(run(port, 1, 16))  # warm
            for streams in (1, a.streams, 1, a.streams):
                r = asyncio.run(run(port, streams, a.tokens))
                print("{streams:4d} streams: {tokens_per_second:7.0f} tokens/s in all, first token p50 {first_token_p50:.3f} s, p99 {first_token_p99:.3f} s,"
                      " {lost} incomplete".format(**r), flush=True)
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
