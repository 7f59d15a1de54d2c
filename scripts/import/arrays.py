"""What importers of checkpoints share: {name: array} from the field's containers, and a folder with config.json and model.safetensors from them.
Pickles are read without running anything: what asks for more than arrays is refused by name. Needs NumPy."""
import argparse, collections, io, json, math, os, pickle, shutil, struct, tempfile, zipfile
from source import fail

try:
    import numpy as np
except ImportError:
    fail("NumPy is not installed")

STORAGES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "DoubleStorage": "<f8", "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2",
            "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?"}


class Bad(Exception):
    pass


class Storage:
    def __init__(self, kind, key):
        self.dtype, self.key, self.data = np.dtype(STORAGES[kind]), key, None


def rebuild_tensor(storage, offset, size, stride, *rest):
    return "tensor", storage, offset, tuple(size), tuple(stride)


def rebuild_parameter(tensor, *rest):
    return tensor


class Restricted(pickle.Unpickler):
    """Knows arrays of NumPy and tensors of PyTorch, and nothing else."""
    def __init__(self, file, storages=None):
        super().__init__(file, encoding="latin1")
        self.storages = storages

    def find_class(self, module, name):
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name in ("_reconstruct", "scalar"):
            core = getattr(np, "_core", None) or np.core
            return getattr(core.multiarray, name)
        known = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype, ("collections", "OrderedDict"): collections.OrderedDict,
                 ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"), ("argparse", "Namespace"): argparse.Namespace,
                 ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor, ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
                 ("torch._utils", "_rebuild_parameter"): rebuild_parameter}
        if (module, name) in known:
            return known[module, name]
        if module == "torch" and name in STORAGES:
            return name
        raise Bad(f"a pickle that asks for {module}.{name}, which is no array")

    def persistent_load(self, pid):
        if self.storages is None or not isinstance(pid, tuple) or pid[0] != "storage" or pid[1] not in STORAGES:
            raise Bad("a pickle with a reference that is no storage")
        return self.storages.setdefault(pid[2], Storage(pid[1], pid[2]))


def tensors_to_arrays(tree):
    """Tensors inside dictionaries, under joined names, as arrays; what is neither is left out."""
    if isinstance(tree, tuple) and len(tree) == 5 and tree[0] == "tensor":
        _, storage, offset, size, stride = tree
        n = len(storage.data)
        last = offset + sum((s - 1) * t for s, t in zip(size, stride)) if all(size) else offset
        if any(v < 0 for v in (offset, *size, *stride)) or (all(size) and last >= n) or offset > n:
            raise Bad("a tensor that lies outside of its storage")
        return np.lib.stride_tricks.as_strided(storage.data[offset:], size, [t * storage.dtype.itemsize for t in stride], writeable=False)
    return tree


def flatten(tree, out, prefix=""):
    if isinstance(tree, dict):
        for key, value in tree.items():
            if isinstance(key, str):
                flatten(value, out, f"{prefix}.{key}" if prefix else key)
        return
    value = tensors_to_arrays(tree)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        out[prefix] = value


def read_torch(path):
    storages = {}
    if zipfile.is_zipfile(path):
        z = zipfile.ZipFile(path)
        main = next((n for n in z.namelist() if n.endswith("/data.pkl") or n == "data.pkl"), None)
        if main is None:
            raise Bad("a zip file without data.pkl")
        tree = Restricted(io.BytesIO(z.read(main)), storages).load()
        for s in storages.values():
            s.data = np.frombuffer(z.read(main[:-len("data.pkl")] + "data/" + s.key), s.dtype)
        return tree
    with open(path, "rb") as f:  # before PyTorch 1.6: pickles of a magic number, a version, the writer; the tree; keys; then the storages
        head = [Restricted(f).load() for _ in range(3)]
        if head[0] != 0x1950a86a20f9469cfc6c:
            raise Bad("not a PyTorch file")
        tree, keys = Restricted(f, storages).load(), Restricted(f).load()
        for key in keys:
            n = struct.unpack("<q", f.read(8))[0]
            s = storages.get(key)
            if s is None or n < 0:
                raise Bad("a storage that no tensor uses")
            s.data = np.frombuffer(f.read(n * s.dtype.itemsize), s.dtype)
            if len(s.data) != n:
                raise Bad("cut short")
    return tree


def read_safetensors(path):
    kinds = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "I32": "<i4"}
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    header, out = json.loads(data[8:8 + n]), {}
    for name, d in header.items():
        if name != "__metadata__":
            a, b = d["data_offsets"]
            raw = data[8 + n + a:8 + n + b]
            if d["dtype"] == "BF16":
                out[name] = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4").reshape(d["shape"])
            else:
                out[name] = np.frombuffer(raw, kinds[d["dtype"]]).reshape(d["shape"])
    return out


def wire(data):
    """Fields of a protobuf message: (number, value); groups are not used."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            if at >= len(data) or shift > 63:
                raise Bad("not a protocol buffer, or cut short")
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        n = {1: 8, 5: 4}.get(key & 7) or (varint() if key & 7 == 2 else -1)
        if n < 0 or at + n > len(data):
            raise Bad("not a protocol buffer, or cut short")
        yield key >> 3, data[at:at + n]
        at += n


def read_blob(message):
    shape, old, parts = None, {}, []
    for number, value in wire(message):
        if number == 7:  # BlobShape
            shape = []
            for _, dims in wire(value):
                if isinstance(dims, int):
                    shape.append(dims)
                else:  # packed
                    shape += unpack_varints(dims)
        elif number == 5:
            parts.append(bytes(value))
        elif number in (1, 2, 3, 4) and isinstance(value, int):
            old[number] = value
    data = np.frombuffer(b"".join(parts), "<f4")
    shape = shape if shape is not None else [old.get(i, 1) for i in (1, 2, 3, 4)]
    if math.prod(shape) != len(data):
        raise Bad(f"a blob of {len(data)} values for the shape {shape}")
    return data.reshape(shape)


def unpack_varints(data):
    out, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out.append(value)
            value = shift = 0
    return out


def read_caffe(path):
    """Blobs as NAME.0, NAME.1, ... (caffe.proto: NetParameter.layer 100, LayerParameter name 1 and blobs 7, BlobProto data 5, shape 7)."""
    out = {}
    for number, layer in wire(memoryview(open(path, "rb").read())):
        if number != 100:
            continue
        name, blobs = "", []
        for field, value in wire(layer):
            if field == 1:
                name = bytes(value).decode()
            elif field == 7:
                blobs.append(read_blob(value))
        for i, blob in enumerate(blobs):
            out[f"{name}.{i}"] = blob
    return out


def read_paddle(path):
    """One variable as PaddlePaddle 1.x saves it (lod_tensor.cc): a version, levels of offsets, a version, a TensorDesc (framework.proto: 1 type,
    2 dims), the values."""
    kinds = {2: "<i4", 3: "<i8", 4: "<f2", 5: "<f4", 6: "<f8"}
    data = np.memmap(path, np.uint8, "r") if os.path.getsize(path) else b""

    def number(at, form):
        size = struct.calcsize(form)
        return struct.unpack(form, bytes(data[at:at + size]))[0], at + size
    version, at = number(0, "<I")
    levels, at = number(at, "<Q")
    if version or levels > 64:
        raise Bad("not a variable of PaddlePaddle's")
    for _ in range(levels):
        size, at = number(at, "<Q")
        at += size
    version, at = number(at, "<I")
    size, at = number(at, "<i")
    if version or not 0 <= size <= len(data) - at:
        raise Bad("not a variable of PaddlePaddle's")
    kind, shape = None, []
    for field, value in wire(bytes(data[at:at + size])):
        if field == 1:
            kind = kinds.get(value)
        elif field == 2:
            shape += [value] if isinstance(value, int) else unpack_varints(value)
    at += size
    if kind is None:
        raise Bad("a variable that is not of numbers")
    if math.prod(shape) * np.dtype(kind).itemsize != len(data) - at:
        raise Bad(f"{len(data) - at} bytes of values for the shape {shape}")
    return np.frombuffer(data, kind, offset=at).reshape(shape)


def read_folder(path):
    """A file for each variable; what is none (the program, say) is left out."""
    out = {}
    for name in sorted(os.listdir(path)):
        file = os.path.join(path, name)
        if not os.path.isfile(file) or open(file, "rb").read(4) != bytes(4):
            continue
        try:
            out[name] = read_paddle(file)
        except (Bad, struct.error) as e:
            raise Bad(f"{name}: {'cut short' if isinstance(e, struct.error) else e}") from None
    return out


READERS = {".caffemodel": read_caffe, ".npz": lambda path: dict(np.load(path, allow_pickle=False)), ".safetensors": read_safetensors,
           ".pkl": lambda path: flat(read_pickle(path)), **dict.fromkeys((".pth", ".pt", ".bin"), lambda path: flat(read_torch(path))),
           ".pdparams": lambda path: flat(read_pickle(path))}


def read_checkpoint(path, endings):
    """{name: array} of a file whose name has one of the endings; "": a folder of variables is one, too."""
    if "" in endings and os.path.isdir(path):
        return read_folder(path)
    ending = os.path.splitext(path)[1]
    if not ending or ending not in endings:
        fail(f"{path}: its name ends in none of {' '.join(x for x in endings if x)}", 2)
    return READERS[ending](path)


def read_pickle(path):
    with open(path, "rb") as f:
        return Restricted(f).load()


def flat(tree):
    out = {}
    flatten(tree, out)
    return out


def save(folder, config, arrays, copies=()):
    """Into a folder of another name first, so that what has the name is complete. copies: (file, its name there)."""
    header, at = {}, 0
    for name, value in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parent = os.path.dirname(os.path.abspath(folder))
    made = tempfile.mkdtemp(prefix="." + os.path.basename(os.path.abspath(folder)) + ".", dir=parent)
    try:
        with open(made + "/config.json", "w", encoding="utf-8") as f:
            f.write(json.dumps(config, indent=1, ensure_ascii=False) + "\n")
        for file, name in copies:
            shutil.copyfile(file, os.path.join(made, name))
        with open(made + "/model.safetensors", "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text)
            for value in arrays.values():
                f.write(value.tobytes())
        os.chmod(made, 0o777 & ~current_umask())
        os.rename(made, folder)
    except BaseException:
        shutil.rmtree(made)
        raise


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def make(path, folder, convert):
    """Makes the folder of what convert() gives, save()'s arguments behind the folder; what is wrong with the checkpoint is one line."""
    if os.path.lexists(folder):
        fail(f"{folder}: is there already")
    try:
        save(folder, *convert())
    except Bad as e:
        fail(f"{path}: {e}")
    except OSError as e:
        fail(f"{e.filename or folder}: {e.strerror or e}")
    except (pickle.UnpicklingError, EOFError, KeyError, IndexError, ValueError, TypeError, AttributeError, zipfile.BadZipFile, struct.error,
            UnicodeDecodeError, MemoryError, OverflowError, RecursionError) as e:
        fail(f"{path}: not a checkpoint of its kind ({e})")
