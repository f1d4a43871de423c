#!/usr/bin/env python3
"""Measures the embedded engine beside llama.cpp: same file, same threads, same prompt length, in turns in one run.

    python3 benches/llama_cpp.py [--model jan-small|jan-tiny|FILE] [--threads 2] [--prompt 200] [--answer 64]
                                 [--rounds 5] [--parallel 1]

Does its own set-up: builds the example `speed` of crate `inference` in release, and installs `xllamacpp` (a prebuilt
llama.cpp) with pip into a virtual environment in the cache directory, unless this Python has it already. The model
file must be there: `jan-server model pull jan-small`.

The machine must do nothing else: llama.cpp's threads wait for each other at barriers and fall to a fraction of their
speed where others work. `chrt -r 5 python3 benches/llama_cpp.py` (as root) gives both programs the processors.

Prints medians: prompt tokens per second, generated tokens per second, seconds to the first token, and the ratios.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "jan-server"
FILES = {
    "jan-small": "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    "jan-tiny": "SmolLM2-135M-Instruct.Q4_1.gguf",
}


def python_with_llama_cpp() -> str:
    """A Python that can import xllamacpp."""
    if importlib.util.find_spec("xllamacpp"):
        return sys.executable
    environment = CACHE / "llama-cpp"
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "xllamacpp"], check=True)
    return str(python)


def measure_llama_cpp(options: argparse.Namespace, model: str) -> None:
    """Runs in a process of its own and prints one line of JSON, like `speed`."""
    import time

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = 8192
    params.n_parallel = options.parallel
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.warmup = False
    params.verbosity = 0
    begun = time.monotonic()
    server = xllamacpp.Server(params)
    loaded = time.monotonic() - begun
    text = "The quick brown fox jumps over it. " * (options.prompt // 8)
    request = {
        "prompt": text,
        "n_predict": options.answer,
        "temperature": 0,
        "ignore_eos": True,
        "cache_prompt": False,
        "stream": False,
    }
    answer = server.handle_completions(request)
    answer = json.loads(answer) if isinstance(answer, (str, bytes)) else answer
    timings = answer["timings"]
    result = {
        "prompt_tokens": timings["prompt_n"],
        "pp": timings["prompt_per_second"],
        "tg": timings["predicted_per_second"],
        "first_token_seconds": timings["prompt_ms"] / 1000,
        "load_seconds": loaded,
    }
    print(json.dumps(result), flush=True)
    os._exit(0)  # its threads need not be waited for


def last_line(command: list[str], **keywords) -> dict:
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **keywords).stdout
    return json.loads(output.decode().strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="jan-small")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=200, help="tokens of the prompt, about")
    parser.add_argument("--answer", type=int, default=64, help="tokens to generate")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parallel", type=int, default=1, help="answers at a time (the engine's side only)")
    parser.add_argument("--only-llama-cpp", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_llama_cpp:
        measure_llama_cpp(options, options.only_llama_cpp)
        return

    model = options.model
    if model in FILES:
        model = str(CACHE / "models" / FILES[model])
    if not pathlib.Path(model).is_file():
        sys.exit(f"{model} is missing: `jan-server model pull {options.model}` fetches it")
    build = ["cargo", "build", "--release", "--quiet", "--package", "inference", "--example", "speed"]
    subprocess.run(build, check=True, cwd=ROOT)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    speed = [str(target / "release" / "examples" / "speed"), model]
    speed += [str(n) for n in (options.threads, options.prompt, options.answer, options.parallel)]
    sizes = [f"--{name}={getattr(options, name)}" for name in ("threads", "prompt", "answer")]
    llama = [python_with_llama_cpp(), str(pathlib.Path(__file__).resolve()), "--only-llama-cpp", model, *sizes]

    results: dict[str, list[dict]] = {"jan-server": [], "llama.cpp": []}
    for _ in range(options.rounds):
        # In turns, so that what else the machine does meets both.
        results["llama.cpp"].append(last_line(llama))
        results["jan-server"].append(last_line(speed))
    columns = ["prompt_tokens", "pp", "tg", "first_token_seconds", "load_seconds"]
    print(f"{'':12}" + "".join(f"{column:>22}" for column in columns))
    medians = {}
    for name, rows in results.items():
        medians[name] = [statistics.median(row[column] for row in rows) for column in columns]
        print(f"{name:12}" + "".join(f"{value:22.2f}" for value in medians[name]))
    ours, theirs = medians["jan-server"], medians["llama.cpp"]
    print(f"ratio: prompt {ours[1] / theirs[1]:.2f}, generation {ours[2] / theirs[2]:.2f}")


if __name__ == "__main__":
    main()
