"""Kinds of cells that students write, each a name and the cells that show it, run in order.

`test_kernel_parity` runs them all on a kernel of ipykernel's and as grading does, and compares.
"""

KINDS: dict[str, list[str]] = {
    # What is printed
    "print": ["print('a', 1, sep='-')"],
    "print to stderr": ["import sys\nprint('e', file=sys.stderr)"],
    "both streams in turn": ["print('a')\nprint('b', file=sys.stderr)\nprint('c')"],
    "print without a new line": ["print('a', end='')"],
    "a carriage return": ["print('10 %\\r20 %')"],
    "letters of the world": ["print('naïve 数 🙂 e\\u0301')"],
    "a backspace and a bell": ["print('ab\\b\\a')"],
    "write": ["sys.stdout.write('ten chars\\n')"],
    "write lines": ["sys.stdout.writelines(['a\\n', 'b\\n'])"],
    "flush": ["print('a', flush=True)\nsys.stdout.flush()"],
    "a hundred lines": ["for i in range(100): print(i)"],
    "a logger's warning": ["import logging\nlogging.warning('careful')"],
    "a warning": ["import warnings\nwarnings.warn('old')"],
    "redirected": [
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()) as t:\n"
        "    print('in')\n"
        "t.getvalue()"
    ],
    "pretty print": ["import pprint\npprint.pprint({'b': list(range(30)), 'a': {1: 2}})"],
    "a thread that prints": [
        "import threading\n"
        "t = threading.Thread(target=print, args=('thread',))\n"
        "t.start(); t.join()"
    ],
    "a child process": [
        "import subprocess\n"
        "subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout"
    ],
    # What a cell evaluates to
    "a value": ["1 + 1"],
    "None": ["None"],
    "a value with a semicolon": ["1 + 1;"],
    "the last of several": ["1\n2\n3"],
    "an assignment": ["x = 3"],
    "a walrus": ["(y := 4)"],
    "a long list": ["list(range(2000))"],
    "a long text": ["'word ' * 300"],
    "a nested dict": ["{'k' * 30 + str(i): {'v': [i] * 12} for i in range(6)}"],
    "a set": ["{3, 1, 2}"],
    "itself": ["loop = []\nloop.append(loop)\nloop"],
    "a function": [
        "def f(x: int) -> int:\n    'Twice.'\n    return 2 * x\nf(3)",
        "f.__doc__, f.__name__, f.__module__",
    ],
    "earlier results": ["40 + 2", "_, _ + 1", "type(Out), len(In) > 3"],
    "an array": ["import numpy as np\nnp.arange(12.).reshape(3, 4)"],
    "a tensor": ["import torch\ntorch.arange(6).reshape(2, 3)"],
    "settings of numpy for later cells": [
        "np.set_printoptions(precision=2)",
        "print(np.array([1 / 3]))\nnp.set_printoptions(precision=8)",
    ],
    "numbers in few digits": ["%precision 3\n3.14159265"],
    "html of its own": ["class H:\n    def _repr_html_(self): return '<b>h</b>'\nH()"],
    "a bundle of its own": [
        "class B:\n"
        "    def _repr_mimebundle_(self, include=None, exclude=None): return "
        "{'text/plain': 'p', 'application/json': {'a': 1}}\n"
        "B()"
    ],
    "a picture of its own": [
        "import base64\n"
        "class P:\n"
        "    def _repr_png_(self): return base64.b64decode('iVBORw0KGgo=')\n"
        "    def __repr__(self): return 'P'\n"
        "P()"
    ],
    "shows itself": ["class D:\n    def _ipython_display_(self): print('shown')\nD()"],
    "a repr that fails": ["class R:\n    def __repr__(self): raise ValueError('no repr')\nR()"],
    "an html that fails": [
        "class F:\n"
        "    def _repr_html_(self): raise ValueError('no html')\n"
        "    def __repr__(self): return 'F'\n"
        "F()"
    ],
    # What is displayed
    "display": ["display(1, 'two', [3])"],
    "html": ["from IPython.display import *\nHTML('<i>x</i>')"],
    "markdown, mathematics, svg, json": [
        "display(Markdown('*m*'), Latex('$x$'), SVG('<svg "
        "xmlns=\"http://www.w3.org/2000/svg\"/>'), JSON({'a': [1]}))"
    ],
    "javascript": ["Javascript('1')"],
    "an updated display": ["handle = display('one', display_id='d')\nhandle.update('two')"],
    "updated by a later cell": [
        "h2 = display(HTML('one'), display_id='later')",
        "print('between')",
    ],
    "cleared": ["print('gone')\nclear_output()\nprint('stays')"],
    "cleared when more comes": ["print('gone')\nclear_output(wait=True)\nprint('stays')"],
    "cleared at the end": ["print('stays')\nclear_output(wait=True)"],
    "a plotly figure": ["import plotly.graph_objects as go\ngo.Figure(go.Bar(x=['a'], y=[1]))"],
    "a plotly figure that is shown": ["go.Figure(go.Scatter(x=[1, 2], y=[3, 4])).show()"],
    "a progress bar": [
        "from tqdm import tqdm\nfor _ in tqdm(range(2), disable=True): pass\nprint('done')"
    ],
    # Errors
    "division by zero": ["1 / 0"],
    "a syntax error": ["def f(:\n    pass"],
    "an indentation error": ["if True:\nprint(1)"],
    "an unfinished string": ["s = 'abc"],
    "an unknown name": ["undefined_name"],
    "an error in a function": [
        "def g(n):\n    if n == 0:\n        raise KeyError('deep')\n    g(n - 1)\ng(2)"
    ],
    "an error while an error is handled": [
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    int('x')"
    ],
    "an error from another": [
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise RuntimeError('because') from e"
    ],
    "an error from None": [
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise RuntimeError('alone') from None"
    ],
    "an error of one's own": ["class Mine(Exception): pass\nraise Mine"],
    "an error with a note": ["e = ValueError('v')\ne.add_note('a note')\nraise e"],
    "a group of errors": ["raise ExceptionGroup('g', [ValueError(1), TypeError(2)])"],
    "an assertion": ["assert 1 == 2, 'one is not two'"],
    "an error after output": ["print('before')\ndisplay(1)\nraise ValueError('after')"],
    "a keyboard interrupt": ["raise KeyboardInterrupt"],
    "an error in a library": ["np.linalg.inv(np.zeros((2, 2)))"],
    "an error of torch": ["torch.zeros(2, 3) @ torch.zeros(2, 3)"],
    "too deep": [
        "def deep(): deep()\n"
        "try:\n"
        "    deep()\n"
        "except RecursionError as e:\n"
        "    print(type(e).__name__)"
    ],
    "sys.exit": ["sys.exit(1)"],
    # Magics and commands
    "a shell command": ["!echo shell; echo err >&2"],
    "a command's output": ["lines = !printf 'a\\nb\\n'\nlist(lines)"],
    "a command with a variable": ["word = 'value'\n!echo {word} $word"],
    "a command that fails": ["!exit 3\n_exit_code"],
    "a bash cell": ["%%bash\necho from bash\necho err >&2"],
    "capture": ["%%capture got\nprint('captured')\n1 + 1", "got.stdout"],
    "a written file": ["%%writefile helper.py\nVALUE = 7", "import helper\nhelper.VALUE"],
    "run a file": ["%run helper.py\nVALUE"],
    "the environment": ["%env LOGITLAB_KIND=1\nimport os\nos.environ['LOGITLAB_KIND']"],
    "an html cell": ["%%html\n<p>h</p>"],
    "an unknown magic": ["%nonsense"],
    "plain tracebacks": ["%xmode Plain", "1 / 0", "%xmode Context"],
    "help": ["f?"],
    "a line of history": ["len(_ih) == len(In), _i.strip() == In[-2].strip()"],
    # Time and the rest
    "await": ["import asyncio\nawait asyncio.sleep(0)\nprint('awaited')"],
    "an async comprehension": [
        "async def count(n):\n    for i in range(n):\n        yield i\n[i async for i in count(3)]"
    ],
    "a task that is gathered": [
        "async def add(a, b): return a + b\nawait asyncio.gather(add(1, 2), add(3, 4))"
    ],
    "a task for a later cell": ["later = asyncio.create_task(add(5, 6))", "await later"],
    "asyncio.run": [
        "adding = add(1, 2)\ntry:\n    asyncio.run(adding)\nfinally:\n    adding.close()"
    ],
    "input": ["input('name: ')"],
    "getpass": ["import getpass\ngetpass.getpass()"],
    "the source of a function": ["import inspect\nprint(inspect.getsource(g))"],
    "a pickled class": [
        "import pickle\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Point:\n"
        "    x: int\n"
        "pickle.loads(pickle.dumps(Point(3)))"
    ],
    "names of the notebook": ["__name__, '__file__' in globals(), 'get_ipython' in globals()"],
    "the shell": ["type(get_ipython()).__name__, get_ipython().execution_count > 1"],
    "a process that is forked": [
        "import multiprocessing\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "    print(pool.map(abs, [-1, -2]))"
    ],
    "a widget": ["import ipywidgets\nipywidgets.IntSlider(value=3)"],
    "a comm": ["from comm import create_comm\ncreate_comm(target_name='t').close()"],
    "from the future": [
        "from __future__ import annotations\ndef h(x: Undefined): return x\nh.__annotations__"
    ],
    "the working folder": ["sorted(name for name in os.listdir('.') if name.endswith('.py'))"],
}

DIFFERENT: dict[str, str] = {
    "both streams in turn": "stays in order; a kernel sends each stream in batches",
    "a carriage return": "shows what a terminal would; what controls one is left out",
    "a backspace and a bell": "is left out, as it controls a terminal",
    "a group of errors": "counts as an error; a kernel only prints it, and a test would pass",
    "an unknown magic": "counts as an error; a kernel only prints it, and a test would pass",
}
"""Kinds that differ where notebooks are graded, and how."""
