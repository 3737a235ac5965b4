"""Turns labelled images into what the ResNet-50 reads: images.npy (f32, NCHW) and classes.txt, one name a line.

usage: prepare_images.py ARCHIVE.npz FOLDER [--count N] [--first N]
The archive holds test_images (u8, NHWC), test_labels and classes, as models/cifar10-1000.npz does.
"""
import argparse
import pathlib

import numpy as np

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def resize_bilinear(images, size):
    """Half-pixel centres, no antialiasing; images is (N, H, W, C)."""

    def taps(extent):
        centre = (np.arange(size) + 0.5) * extent / size - 0.5
        low = np.floor(centre).astype(int)
        weight = (centre - low).astype(np.float32)
        return np.clip(low, 0, extent - 1), np.clip(low + 1, 0, extent - 1), weight

    low, high, weight = taps(images.shape[1])
    weight = weight[None, :, None, None]
    images = images[:, low] * (1 - weight) + images[:, high] * weight
    low, high, weight = taps(images.shape[2])
    weight = weight[None, None, :, None]
    return images[:, :, low] * (1 - weight) + images[:, :, high] * weight


def preprocess(images):
    """u8 (N, H, W, 3) to f32 (N, 3, 224, 224)."""
    scaled = (images.astype(np.float32) / 255 - MEAN) / DEVIATION
    return np.ascontiguousarray(resize_bilinear(scaled, 224).transpose(0, 3, 1, 2), dtype=np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--calibration", type=int, default=0, metavar="N", help="also write calibration.npz, the first N calibration images as `compile --calibrate` reads them")
    arguments = parser.parse_args()
    data = np.load(arguments.archive)
    chosen = slice(arguments.first, arguments.first + arguments.count)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    np.save(arguments.folder / "images.npy", preprocess(data["test_images"][chosen]))
    np.save(arguments.folder / "labels.npy", data["test_labels"][chosen])
    (arguments.folder / "classes.txt").write_text("\n".join(str(name) for name in data["classes"]) + "\n")
    if arguments.calibration:
        np.savez(arguments.folder / "calibration.npz", image=preprocess(data["calibration_images"][: arguments.calibration]))


if __name__ == "__main__":
    main()
