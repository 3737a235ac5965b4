"""Makes Q/DQ int8 models that ONNX Runtime, OpenVINO and Intaglio all run.

usage: quantize_models.py FOLDER MODEL.onnx..      writes FOLDER/MODEL_u8s8.onnx for each; one float image as input
Activations are u8 per tensor, weights s8 per output channel: the flavour in which ONNX Runtime is fastest (with s8 activations it takes four
times as long). Calibrated on seeded noise: speed does not depend on it. Without VNNI the weights keep to seven bits, as ONNX Runtime's
documentation asks: its AVX2 kernel saturates.
"""
import pathlib
import sys

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

SAMPLES = 4


class Noise(CalibrationDataReader):
    """Samples for the one input of a model; dynamic dimensions are 1."""

    def __init__(self, value):
        shape = [dimension.dim_value or 1 for dimension in value.type.tensor_type.shape.dim]
        random = np.random.default_rng(0)
        self.samples = iter([{value.name: random.standard_normal(shape).astype(np.float32)} for _ in range(SAMPLES)])

    def get_next(self):
        return next(self.samples, None)


def has_vnni():
    return "vnni" in pathlib.Path("/proc/cpuinfo").read_text()


def quantize(path, output):
    quant_pre_process(path, output, skip_symbolic_shape=True)
    samples = Noise(onnx.load(path, load_external_data=False).graph.input[0])
    quantize_static(output, output, samples, quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=not has_vnni(), activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def main():
    folder, *models = map(pathlib.Path, sys.argv[1:])
    for path in models:
        output = folder / f"{path.stem}_u8s8.onnx"
        quantize(path, output)
        print(output, "8-bit weights" if has_vnni() else "7-bit weights", flush=True)


if __name__ == "__main__":
    main()
