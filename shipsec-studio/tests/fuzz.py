"""Asks a server whatever its OpenAPI document allows, and more, and expects no failure of its own.

Usage: fuzz.py SHIPSEC SCHEMATHESIS [SEED]. `cargo xtask test --only fuzz` calls it.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

HOOKS = pathlib.Path(__file__).with_name("fuzz_hooks.py")
ROOT = pathlib.Path(__file__).parents[2]
CHECKS = [
    "not_a_server_error",
    "content_type_conformance",
    "response_schema_conformance",
    "status_code_conformance",
    "unsupported_method",
    "response_headers_conformance",
]


def ask(base, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def prepare(base, folder):
    """Something to ask about: a workflow, and a run of it that has ended."""
    graph = json.loads((ROOT / "examples/workflows/source-audit.json").read_text())
    workflow = ask(base, "workflows", graph)["id"]
    (folder / "audited").mkdir()
    (folder / "audited/requirements.txt").write_text("flask==2.0.0\n")
    started = ask(base, f"workflows/{workflow}/run", {"inputs": {"path": str(folder / "audited")}})
    run = started["runId"]
    deadline = time.monotonic() + 120
    while ask(base, f"workflows/runs/{run}/status")["status"] not in ("COMPLETED", "FAILED"):
        if time.monotonic() > deadline:
            sys.exit(f"run {run} does not end")
        time.sleep(0.05)
    artifacts = ask(base, f"workflows/runs/{run}/artifacts")["artifacts"]
    return {
        "path.run": run,
        "path.id": workflow,
        "path.node": "walk",
        "path.artifact": artifacts[0]["artifactId"],
        "query.a": run,
        "query.b": run,
    }


def main(shipsec, schemathesis, seed="1"):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        server = subprocess.Popen(
            [shipsec, "serve", "--bind", "127.0.0.1:0"],
            cwd=folder, stdout=subprocess.PIPE, text=True,
        )
        try:
            base = server.stdout.readline().split()[2]
            known = prepare(base, folder)
            common = [
                "run", f"{base}openapi.json", "--checks", ",".join(CHECKS),
                "--continue-on-failure", "--seed", seed,
                # A stream has no end while its run goes on; tests of its own read it.
                "--exclude-path-regex", "events$", "--suppress-health-check", "all",
            ]
            each = ["--phases", "coverage,fuzzing", "--max-examples", "30"]
            failed = 0
            for values, more in [
                # With what is there, to come past the first look-up; then without; then from one
                # operation to the next.
                (known, [*each, "--exclude-method", "DELETE"]),
                ({}, each),
                ({"path.node": "ask"}, ["--phases", "stateful", "--max-examples", "150"]),
            ]:
                lines = (f"{json.dumps(name)} = {json.dumps(value)}\n" for name, value in values.items())
                config = folder / "schemathesis.toml"
                config.write_text(f"[parameters]\n{''.join(lines)}")
                command = [schemathesis, "--config-file", str(config), *common, *more]
                hooks = {"SCHEMATHESIS_HOOKS": str(HOOKS)} if "stateful" in more else {}
                failed |= subprocess.run(command, cwd=folder, env={**os.environ, **hooks}).returncode
            ask(base, "health")
            if server.poll() is not None:
                sys.exit("the server has ended")
            sys.exit(failed)
        finally:
            server.terminate()
            server.wait(30)


main(*sys.argv[1:])
