"""What functions of students return by mistake: expressions, by what they are.

A row is the value of `f(x)`, with `x == 1`, as an expression or as the body of a function. None of
them is 1, which is right.
"""

SETUP = """
import array, asyncio, collections, contextlib, ctypes, dataclasses, datetime, decimal, enum
import fractions, io, itertools, mmap, pathlib, re, threading, types, uuid, weakref
import numpy as np, pandas as pd, torch
import plotly.graph_objects as go
from torch import nn
from unittest import mock

class Thing:
    pass
class Colour(enum.Enum):
    RED = 1
@dataclasses.dataclass
class Pair:
    a: int = 1
    b: int = 2
Point = collections.namedtuple("Point", "x y")

def raiser(*_, **__):
    raise SystemExit("no")
def hostile(base, *names, what=raiser):
    return type("Hostile", (base,), {name: what for name in names})
def looks(base, name):
    return type("Looks", (base,), {name: property(raiser)})
def escaped(transform, *arguments):
    kept = []
    def f(t):
        kept.append(t)
        return t.sum()
    transform(f)(*arguments)
    return kept[0]
def with_tangent(g):
    return lambda t: torch.func.jvp(g, (t,), (t,))
def emptied(t):
    t.untyped_storage().resize_(0)
    return t
def spoilt(figure):
    figure._data[0]["type"] = "none"
    return figure
def hashed_late():
    class Late:
        pass
    kept = {Late()}
    Late.__hash__ = raiser
    return kept
def nest(depth, make, inner=1):
    for _ in range(depth):
        inner = make(inner)
    return inner
class HashableList(list):
    __hash__ = object.__hash__
class NeverEnding:
    def __len__(self):
        return 10**18
    def __iter__(self):
        return itertools.count()
    def __getattr__(self, name):
        raise KeyboardInterrupt
class Meta(type):
    __name__ = property(lambda cls: 1 / 0)
class Unprintable(Exception):
    def __str__(self):
        raise SystemExit
class ManyClasses(Exception):
    pass
for n in range(200):
    ManyClasses = type("A" * 1000, (ManyClasses,), {})
"""

ODD = {
    # What is no plain data
    "an object": "object()",
    "a set of objects": "{object()}",
    "a frozenset of objects": "frozenset([object(), 1])",
    "a set of functions": "{f}",
    "a set of modules": "set(nn.Linear(2, 2).modules())",
    "a set of enum members": "{Colour.RED}",
    "a set of classes": "{int, str}",
    "a set of tuples with objects": "{(1, (2, Thing()))}",
    "a set of lists that have a hash": "{HashableList([1])}",
    "a set of weak references": "{weakref.ref(Thing())}",
    "a list, and a set that holds it": "l = HashableList([1]); return [l, {l}]",
    "a dict with function keys": "{f: 1}",
    "a dict with enum keys": "{Colour.RED: 1}",
    "a dict with object keys": "{Thing(): 1, 2: 3}",
    "a dict with keys that hold objects": "{(1, frozenset([Thing()])): 1}",
    "a dict with class keys": "{int: 'int'}",
    "a dict with module keys": "{nn.ReLU(): 1}",
    "a dict with date keys": "{datetime.date(2024, 1, 2): 3}",
    "a dict with path keys": "{pathlib.Path('a'): 1}",
    "a dict of objects": "{'a': Thing()}",
    "a list of objects": "[Thing(), Thing()]",
    "a tuple of functions": "(f, f)",
    "an enum member": "Colour.RED",
    "a flag": "enum.Flag('F', 'A B').A",
    "a data class": "Pair()",
    "a named tuple": "Point(1, 2)",
    "a date": "datetime.datetime(2024, 1, 2)",
    "a duration": "datetime.timedelta(1)",
    "a path": "pathlib.Path('.')",
    "a UUID": "uuid.uuid4()",
    "a namespace": "types.SimpleNamespace(a=1)",
    "a module of Python": "re",
    "a class": "Thing",
    "a function": "f",
    "a method": "[].append",
    "a generator": "(i for i in range(3))",
    "a coroutine": "async def c(): return 1\n    k = c(); k.close(); return k",
    "an asynchronous generator": "async def c():\n        yield 1\n    return c()",
    "an iterator": "iter([1])",
    "an iterator that raises": "map(raiser, [1])",
    "a lock": "threading.Lock()",
    "a thread": "threading.current_thread()",
    "an open file": "open('/dev/null')",
    "a text buffer": "io.StringIO('a')",
    "a memoryview": "memoryview(b'abc')",
    "a map of memory": "mmap.mmap(-1, 10)",
    "an array of the array module": "array.array('d', [1.0])",
    "a ctypes number": "ctypes.c_int(1)",
    "a ctypes array": "(ctypes.c_int * 3)()",
    "a weak reference": "weakref.ref(Thing())",
    "a weak proxy": "weakref.proxy(Thing())",
    "a dead weak proxy": "weakref.proxy(Thing())",
    "a regular expression": "re.compile('a')",
    "a match": "re.match('a', 'a')",
    "a code object": "f.__code__",
    "NotImplemented": "NotImplemented",
    "an ellipsis": "...",
    "an exception": "ValueError('returned, not raised')",
    "an exception group": "ExceptionGroup('a', [ValueError()])",
    "a property": "property(f)",
    "a context manager": "contextlib.nullcontext()",
    "the names of the notebook": "globals()",
    "nothing": "None",
    # Containers
    "a deque": "collections.deque([1])",
    "an ordered dict of objects": "collections.OrderedDict(a=Thing())",
    "a defaultdict": "collections.defaultdict(list, {Thing(): [1]})",
    "a counter of objects": "collections.Counter([Thing(), Thing()])",
    "a chain map": "collections.ChainMap({'a': 1})",
    "a read-only dict": "types.MappingProxyType({'a': 1})",
    "the keys of a dict": "{'a': 1}.keys()",
    "the items of a dict": "{'a': 1}.items()",
    "a user list": "collections.UserList([1])",
    "a list that holds itself": "a = [1]; a.append(a); return a",
    "a dict that holds itself": "a = {}; a['a'] = a; return a",
    "a tuple that holds itself": "a = []; t = (a,); a.append(t); return t",
    "lists a thousand deep": "nest(1000, lambda v: [v])",
    "lists just over the depth": "nest(41, lambda v: [v])",
    "dicts a hundred deep": "nest(100, lambda v: {1: v})",
    "tuples as keys, deep": "{nest(60, lambda v: (v,)): 1}",
    "twenty thousand keys": "dict.fromkeys(range(20_000))",
    "a set of twenty thousand": "set(range(20_000))",
    "ten million numbers": "[0] * 10**7",
    "a million large numbers": "list(range(10**12, 10**12 + 10**6))",
    "a list that doubles forty times": "nest(39, lambda v: [v, v], [1])",
    "twenty thousand tensors": "[torch.ones(1) for _ in range(20_000)]",
    "twenty thousand long texts": "['a' * 70_000 + str(i) for i in range(4_000)]",
    # Numbers and texts
    "an integer of a million bits": "1 << 10**6",
    "a Decimal that is too large": "decimal.Decimal('1E+999999999')",
    "a Decimal that signals": "decimal.Decimal('sNaN')",
    "a fraction of huge parts": "fractions.Fraction(3**100_000, 2)",
    "a surrogate": "'\\ud800'",
    "a dict with surrogate keys": "{'\\udfff': '\\ud800'}",
    "a text of control characters": "'\\x00\\x1b[31m\\x9b'",
    "a text of 300 MiB": "'a' * (300 * 2**20)",
    # Tensors
    "a tensor on meta": "torch.empty(3, device='meta')",
    "a tensor kept from vmap": "escaped(torch.vmap, torch.ones(3))",
    "a tensor kept from grad": "escaped(torch.func.grad, torch.ones(3))",
    "a tensor kept from jacrev": "escaped(torch.func.jacrev, torch.ones(3))",
    "a tensor kept from jvp": "escaped(with_tangent, torch.ones(3))",
    "a tensor kept from hessian": "escaped(torch.func.hessian, torch.ones(3))",
    "a functional tensor": "escaped(torch.func.functionalize, torch.ones(3))",
    "a sparse tensor": "torch.eye(2).to_sparse()",
    "a sparse tensor by rows": "torch.eye(2).to_sparse_csr()",
    "a quantized tensor": "torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8)",
    "a nested tensor": "torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])",
    "a jagged tensor": "torch.nested.nested_tensor([torch.ones(2)], layout=torch.jagged)",
    "a tensor for MKL-DNN": "torch.ones(2, 2).to_mkldnn()",
    "a masked tensor": "torch.masked.masked_tensor(torch.ones(2), torch.tensor([True, False]))",
    "a fake tensor": "from torch._subclasses.fake_tensor import FakeTensorMode\n"
    "    return FakeTensorMode().from_tensor(torch.ones(2))",
    "a tensor of float8": "torch.ones(2).to(torch.float8_e4m3fn)",
    "a tensor of complex32": "torch.ones(2, dtype=torch.complex32)",
    "a tensor of 40 dimensions": "torch.ones([1] * 40)",
    "an empty tensor of a huge size": "torch.empty(0, 2**50)",
    "a view of terabytes": "torch.zeros(1).expand(10**12)",
    "a tensor of a gigabyte": "torch.zeros(2**28)",
    "a tensor whose numbers are gone": "emptied(torch.ones(3))",
    "an uninitialised parameter": "nn.LazyLinear(2).weight",
    "a tensor made in inference mode": "torch.inference_mode()(lambda: torch.ones(3))()",
    "a result that records gradients": "torch.ones(3, requires_grad=True) * 2",
    "a conjugate": "torch.tensor([1 + 2j]).conj()",
    "a view that negates": "torch.tensor([1 + 2j]).conj().imag",
    "a module": "nn.Linear(2, 2)",
    "a list of parameters": "list(nn.Linear(2, 2).parameters())",
    "a state dict": "nn.Linear(2, 2).state_dict()",
    "a device": "torch.device('cpu')",
    "a layout": "torch.strided",
    "a dtype that does not cross": "torch.float8_e4m3fn",
    "a torch generator": "torch.Generator()",
    "a storage": "torch.ones(3).untyped_storage()",
    "several results of torch": "torch.ones(3).max(0)",
    "a dict with tensor keys": "{torch.ones(2): 1}",
    # numpy, pandas, plotly
    "a structured array": "np.zeros(2, [('a', 'i4'), ('b', 'f8')])",
    "a structured scalar": "np.zeros(2, [('a', 'i4')])[0]",
    "dates": "np.array(['2024-01-01'], 'datetime64[D]')",
    "a date of numpy": "np.datetime64('2024-01-01')",
    "a duration of numpy": "np.timedelta64(3, 's')",
    "bytes of numpy": "np.array([b'a', b'bc'])",
    "a masked array": "np.ma.array([1, 2], mask=[True, False])",
    "the masked value": "np.ma.masked",
    "an array of objects": "np.array([Thing(), None], object)",
    "an array of lists": "a = np.empty(2, object); a[0] = [1, 2]; a[1] = [3, 4]; return a",
    "an array of arrays": "a = np.empty(1, object); a[0] = np.ones(2); return a",
    "an array of tensors": "a = np.empty(2, object); a[:] = [torch.ones(2)] * 2; return a",
    "an array that holds itself": "a = np.empty(1, object); a[0] = a; return a",
    "an array of long double": "np.ones(2, 'longdouble')",
    "an array of half a terabyte": "np.broadcast_to(np.zeros(1), (2**36,))",
    "an array of wide texts": "np.broadcast_to(np.array(['a' * 10_000]), (10_000,))",
    "an array of variable texts": "np.array(['a'], np.dtypes.StringDType())",
    "a matrix": "np.asmatrix([[1, 2]])",
    "a random generator": "np.random.default_rng()",
    "a ufunc": "np.add",
    "a numpy type": "np.dtype('float32')",
    "a data frame": "pd.DataFrame({'a': [1]})",
    "a series": "pd.Series([1, 2])",
    "a missing value": "pd.NA",
    "no time": "pd.NaT",
    "a timestamp": "pd.Timestamp('2024-01-01')",
    "a categorical": "pd.Categorical(['a'])",
    "a figure with dates": "go.Figure(go.Scatter(x=[datetime.datetime(2024, 1, 1)], y=[1]))",
    "a figure with objects": "go.Figure(go.Scatter(customdata=[Thing()], y=[1]))",
    "a figure spoilt by hand": "spoilt(go.Figure(go.Scatter(y=[1])))",
    "a trace": "go.Scatter(y=[1])",
    # What has methods of its own
    "a list that has no length": "hostile(list, '__len__', '__iter__')([1])",
    "a dict without items": "hostile(dict, '__len__', '__iter__', 'items', 'keys')(a=1)",
    "a set of hostile texts": "{hostile(str, '__str__', '__len__')('a')}",
    "an int that will not be one": "hostile(int, '__int__', '__index__', '__eq__')(3)",
    "a float that will not be one": "hostile(float, '__float__', '__eq__')(3.0)",
    "a complex that will not be one": "hostile(complex, '__complex__', 'real')(3)",
    "bytes that will not be": "hostile(bytes, '__bytes__', '__len__')(b'a')",
    "a tensor that will not be one": "hostile(torch.Tensor, '__torch_function__')([1.0, 2.0])",
    "a tensor without a type": "torch.ones(2).as_subclass(looks(torch.Tensor, 'dtype'))",
    "a tensor without a shape": "torch.ones(2).as_subclass(looks(torch.Tensor, 'shape'))",
    "an array without a type": "np.ones(2).view(looks(np.ndarray, 'dtype'))",
    "a numpy number without a type": "looks(np.float64, 'dtype')(2.0)",
    "an object without a class": "looks(object, '__class__')()",
    "an object whose hash fails later": "hashed_late()",
    "an object that never ends": "NeverEnding()",
    "an object of a nameless class": "Meta('M', (), {})()",
    "a nameless class": "Meta('M', (), {})",
    "a mock of a list": "mock.MagicMock(spec=list)",
    "a mock of a tensor": "mock.MagicMock(spec=torch.Tensor)",
    # What is raised instead
    "an exception that cannot be told": "raise Unprintable",
    "an exception of many classes": "raise ManyClasses('a' * 10**6)",
    "SystemExit": "raise SystemExit(0)",
    "GeneratorExit": "raise GeneratorExit",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "a BaseException": "raise hostile(BaseException, '__str__')()",
    "endless recursion": "f(x)",
}


def function(row: str, name: str = "f") -> str:
    """The text of a function that returns this row's value."""
    body = row if row.startswith("raise ") or "return " in row else f"return {row}"
    return f"def {name}(x):\n    {body}\n"
