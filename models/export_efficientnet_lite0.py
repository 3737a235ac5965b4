"""EfficientNet-Lite0 (ImageNet-1k), torch weights to ONNX with a symbolic batch, checked with ONNX Runtime.

usage: export_efficientnet_lite0.py FETCHED-FOLDER OUT.onnx
The network follows tensorflow's efficientnet/lite: no squeeze-and-excite, ReLU6, stem and head of fixed width.
"""
import pathlib
import sys

import numpy as np
import onnxruntime
import torch
from torch import nn
from torch.nn import functional

SIZE = 224
STEM, HEAD, CLASSES = 32, 1280, 1000
# repeats, kernel, stride of the first, expansion, input channels, output channels
STAGES = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
]


class SameConv(nn.Conv2d):
    """TensorFlow's SAME padding: what is left over goes after the last row and column."""

    def __init__(self, channels, filters, kernel, size, stride=1, groups=1):
        super().__init__(channels, filters, kernel, stride=stride, groups=groups, bias=False)
        self.out_size = -(-size // stride)
        total = max((self.out_size - 1) * stride + kernel - size, 0)
        self.pads = (total // 2, total - total // 2) * 2

    def forward(self, x):
        if any(self.pads):
            x = functional.pad(x, self.pads)
        return functional.conv2d(x, self.weight, None, self.stride, 0, 1, self.groups)


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """An inverted bottleneck. Names of members are those of the weights."""

    def __init__(self, channels, filters, kernel, stride, expansion, size):
        super().__init__()
        middle = channels * expansion
        self.expands = expansion != 1
        self.is_residual = stride == 1 and channels == filters
        if self.expands:
            self._expand_conv = SameConv(channels, middle, 1, size)
            self._bn0 = norm(middle)
        self._depthwise_conv = SameConv(middle, middle, kernel, size, stride, groups=middle)
        self._bn1 = norm(middle)
        self.out_size = self._depthwise_conv.out_size
        self._project_conv = SameConv(middle, filters, 1, self.out_size)
        self._bn2 = norm(filters)

    def forward(self, x):
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.is_residual else y


class EfficientNetLite0(nn.Module):
    def __init__(self):
        super().__init__()
        self._conv_stem = SameConv(3, STEM, 3, SIZE, stride=2)
        self._bn0 = norm(STEM)
        blocks, size = [], self._conv_stem.out_size
        for repeats, kernel, stride, expansion, channels, filters in STAGES:
            for i in range(repeats):
                blocks.append(Block(channels if i == 0 else filters, filters, kernel, stride if i == 0 else 1, expansion, size))
                size = blocks[-1].out_size
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(STAGES[-1][-1], HEAD, 1, size)
        self._bn1 = norm(HEAD)
        self._fc = nn.Linear(HEAD, CLASSES)

    def forward(self, image):
        x = functional.relu6(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            x = block(x)
        x = functional.relu6(self._bn1(self._conv_head(x)))
        return self._fc(x.mean((2, 3)))


def main():
    fetched, out = pathlib.Path(sys.argv[1]), sys.argv[2]
    weights = torch.load(next(fetched.glob("**/efficientnet-lite0-*.pth")), map_location="cpu", weights_only=True)
    model = EfficientNetLite0()
    keys = model.load_state_dict(weights, strict=False)
    assert not keys.unexpected_keys and all("num_batches" in key for key in keys.missing_keys), keys
    model.eval()
    image = torch.randn(2, 3, SIZE, SIZE)
    batch = torch.export.Dim("batch", min=1, max=1024)
    torch.onnx.export(
        model, (image,), out, input_names=["image"], output_names=["logits"], dynamo=True, external_data=False, dynamic_shapes={"image": {0: batch}}
    )
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    logits = session.run(None, {"image": image.numpy()})[0]
    assert np.abs(logits - model(image).detach().numpy()).max() < 1e-4


if __name__ == "__main__":
    main()
