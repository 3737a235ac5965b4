"""tools/peers/layer_table.py on two small profiles."""
import json
import pathlib
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools/peers/layer_table.py"


def profile(us):
    copies = {"kernel": "copy inputs to the GPU", "us": 50.0, "tasks": 1, "threads": 1}
    step = {"kernel": "k", "us": us, "flops": 4e9, "bytes": 2e6, "gflops": 4e6 / us, "gbytes_per_s": 2e3 / us, "peak_share": 8 / us, "bound_by": "arithmetic"}
    norm = {**step, "flops": 0.0, "gflops": 0.0, "peak_share": 4 / us, "bound_by": "memory", "nodes": ["norm"], "shape": "f16[8]"}
    return [copies, {**step, "nodes": ["/layer1/layer1.0/conv1/Conv", "/layer1/layer1.0/relu/Relu"], "shape": "f16[1,64,56,56]{0,2,3,1}"}, norm]


def run(tmp_path, *profiles):
    arguments = []
    for i, steps in enumerate(profiles):
        (tmp_path / f"{i}.json").write_text(json.dumps(steps))
        arguments.append(f"b{i}={tmp_path / f'{i}.json'}")
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)


def test_a_row_a_layer_and_one_for_all(tmp_path):
    done = run(tmp_path, profile(10.0), profile(20.0))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2:] == [
        "| layer1.0.conv1 | f16[1,64,56,56] | 10.0 | 400 | 200 | 80 % | 20.0 | 200 | 100 | 40 % |",
        "| norm | f16[8] | 10.0 | - | 200 | 40 % m | 20.0 | - | 100 | 20 % m |",
        "| all | | 20.0 | 200 | 200 | 60 % | 40.0 | 100 | 100 | 30 % |",
    ]


def test_profiles_of_different_models_are_refused(tmp_path):
    done = run(tmp_path, profile(10.0), profile(10.0)[:-1])
    assert done.returncode == 1
    assert "profiles of one model are needed" in done.stderr
