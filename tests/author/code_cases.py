"""Small projects and edits of them, for what must change the identity of `pipeline.train` and what must not.

Each is tried twice: the fingerprint is compared before and after the edit, and so is the value that
plain Python gives for `train(2)`. An edit in `changed` changes both, one in `same` neither.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """Files by name, and edits (file, old text, new text) that matter, and that do not."""

    files: dict[str, str]
    changed: tuple[tuple[str, str, str], ...] = ()
    same: tuple[tuple[str, str, str], ...] = ()


CASES = {
    "three hops": Case(
        {
            "pipeline.py": """\
from a import f
def train(x):
    return f(x)
""",
            "a.py": """\
import b
def f(x):
    return b.g(x)
""",
            "b.py": """\
from c import h as hh
def g(x):
    return hh(x)+1
def un(): return 7
""",
            "c.py": """\
def h(x):
    return x*3
""",
        },
        changed=(("c.py", "*3", "*4"), ("b.py", "+1", "+2")),
        same=(("b.py", "7", "8"),),
    ),
    "base in other module annotated": Case(
        {
            "pipeline.py": """\
from m import Model
def train(m: Model):
    return Model().go()
""",
            "m.py": """\
import base
class Model(base.Mix, base.Base):
    def go(self):
        return super().go()+self.p
""",
            "base.py": """\
K=5
class Mix:
    @property
    def p(self):
        return 3
class Base:
    def go(self):
        return K
""",
        },
        changed=(("base.py", "K=5", "K=6"), ("base.py", "return 3", "return 4")),
    ),
    "metaclass": Case(
        {
            "pipeline.py": """\
from m import A
def train(x):
    return A.tag+A()(x)
""",
            "m.py": """\
from meta import M
class A(metaclass=M):
    def __call__(self,x):
        return x
""",
            "meta.py": """\
class M(type):
    def __new__(c,n,b,d):
        d['tag']=9
        return type.__new__(c,n,b,d)
""",
        },
        changed=(("meta.py", "=9", "=8"), ("m.py", "return x", "return -x")),
    ),
    "decorators stacked from other module": Case(
        {
            "pipeline.py": """\
from d import a, b
@a
@b(2)
def h(x):
    return x
def train(x):
    return h(x)
""",
            "d.py": """\
import functools
W=1
def a(f):
    @functools.wraps(f)
    def w(*k):
        return f(*k)+W
    return w
def b(n):
    def o(f):
        def w(*k): return f(*k)*n
        return w
    return o
def cls(k):
    k.z=4
    return k
""",
        },
        changed=(
            ("d.py", "W=1", "W=2"),
            ("d.py", "*n", "*n*2"),
            ("pipeline.py", "b(2)", "b(3)"),
            ("pipeline.py", "return x", "return -x"),
        ),
        same=(("d.py", "k.z=4", "k.z=5"),),
    ),
    "class decorator": Case(
        {
            "pipeline.py": """\
from d import cls
@cls
class A: pass
def train(x):
    return A.z
""",
            "d.py": """\
def cls(k):
    k.z=4
    return k
""",
        },
        changed=(("d.py", "k.z=4", "k.z=5"),),
    ),
    "factory step": Case(
        {
            "pipeline.py": """\
from stepwell import step
from mk import make
N=3
train0=step(make(N))
train=make(N)
""",
            "mk.py": """\
Q=1
def make(n):
    def inner(x):
        return x*n+Q
    return inner
""",
        },
        changed=(("pipeline.py", "N=3", "N=4"), ("mk.py", "Q=1", "Q=2")),
    ),
    "computed defaults": Case(
        {
            "pipeline.py": """\
import d
def h(x,k=d.k()*2,*,z=d.Z[0]):
    return x+k+z
def train(x,y=d.k()):
    return h(x)+y
""",
            "d.py": """\
def k(): return 3
Z=[4]
""",
        },
        changed=(("d.py", "return 3", "return 5"), ("d.py", "[4]", "[5]"), ("pipeline.py", "*2", "*3")),
    ),
    "partials of partials": Case(
        {
            "pipeline.py": """\
from functools import partial
import d
p=partial(d.f,1)
q=partial(p,z=d.K)
def train(x):
    return q(x)
""",
            "d.py": """\
K=1
def f(a,b,z): return a+b+z
""",
        },
        changed=(("d.py", "K=1", "K=2"), ("d.py", "a+b", "a-b"), ("pipeline.py", "d.f,1", "d.f,2")),
    ),
    "lambdas in containers": Case(
        {
            "pipeline.py": """\
Z=1
Y=2
H={'a':[lambda v: v+Z, (lambda: Y)()]}
def train(x):
    return H['a'][0](x)+H['a'][1]
""",
        },
        changed=(("pipeline.py", "Z=1", "Z=5"), ("pipeline.py", "Y=2", "Y=7")),
    ),
    "constants all forms": Case(
        {
            "pipeline.py": """\
A, (B, *C) = 1, (2, 3, 4)
D: int = 5
E = F = 6
(G := 7)
[H := 8]
with open(__file__) as fh:
    I = 9
for J in range(3):
    K = J
try:
    L = 10
except ValueError:
    L = 11
else:
    M = 12
finally:
    N = 13
if A:
    O = 14
else:
    O = 15
while True:
    Q = 16
    break
match A:
    case 1:
        R = 17
    case _:
        R = 18
S = [1]
S += [19]
T = {}
T['k'] = {}
T['k']['j'] = 20
U = V = []
U.append(21)
class W: pass
W.x = 22
def _set():
    global X
    X = 23
_set()
Y = sum(i for i in [A, 24])
Z = [a for a in range(2)]
del Z
import types
AA = types.SimpleNamespace()
AA.b = 25
BB = sorted([3, 26])
UNUSED = 27
def train(x):
    return A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,Q,R,S,T,V,W.x,X,Y,AA.b,BB
""",
        },
        changed=(
            ("pipeline.py", "A, (B, *C) = 1, (2, 3, 4)", "A, (B, *C) = 1, (2, 3, 5)"),
            ("pipeline.py", "= 5\n", "= 51\n"),
            ("pipeline.py", "= 6\n", "= 61\n"),
            ("pipeline.py", ":= 7", "  := 71"),
            ("pipeline.py", ":= 8", ":= 81"),
            ("pipeline.py", "I = 9", "I = 91"),
            ("pipeline.py", "range(3)", "range(4)"),
            ("pipeline.py", "K = J", "K = -J"),
            ("pipeline.py", "L = 10", "L = 101"),
            ("pipeline.py", "M = 12", "M = 121"),
            ("pipeline.py", "N = 13", "N = 131"),
            ("pipeline.py", "O = 14", "O = 141"),
            ("pipeline.py", "Q = 16", "Q = 161"),
            ("pipeline.py", "R = 17", "R = 171"),
            ("pipeline.py", "[19]", "[191]"),
            ("pipeline.py", "= 20", "= 201"),
            ("pipeline.py", "append(21)", "append(211)"),
            ("pipeline.py", "x = 22", "x = 221"),
            ("pipeline.py", "X = 23", "X = 231"),
            ("pipeline.py", "24]", "241]"),
            ("pipeline.py", "= 25", "= 251"),
            ("pipeline.py", "26]", "261]"),
        ),
        same=(("pipeline.py", "27", "28"),),
    ),
    "dataclass default_factory": Case(
        {
            "pipeline.py": """\
from dataclasses import dataclass, field
from d import mk
@dataclass
class A:
    a: list = field(default_factory=mk)
    b: int = 2
def train(x):
    return A()
""",
            "d.py": """\
def mk(): return [1]
""",
        },
        changed=(("d.py", "[1]", "[2]"), ("pipeline.py", "= 2", "= 3")),
    ),
    "enum auto": Case(
        {
            "pipeline.py": """\
import enum
from d import Base
class A(Base):
    X=enum.auto()
    Y=enum.auto()
def train(x):
    return A.Y.value, A.Y.label()
""",
            "d.py": """\
import enum
class Base(enum.IntEnum):
    def label(self): return 'q'
    @staticmethod
    def _generate_next_value_(n,s,c,l): return c+5
""",
        },
        changed=(("d.py", "'q'", "'r'"), ("d.py", "c+5", "c+6"), ("pipeline.py", "    X=enum.auto()\n", "")),
    ),
    "match constants": Case(
        {
            "pipeline.py": """\
import k
def train(x):
    match x:
        case k.TWO: return 'two'
        case k.Pt(v): return v
    return 'none'
""",
            "k.py": """\
TWO=2
class Pt:
    __match_args__=('a',)
""",
        },
        changed=(("k.py", "TWO=2", "TWO=3"),),
    ),
    "async": Case(
        {
            "pipeline.py": """\
import h
async def train(x):
    t=0
    async for i in h.gen(x):
        t+=await h.one(i)
    return t
""",
            "h.py": """\
async def gen(n):
    for i in range(n): yield i+1
async def one(i): return i*2
""",
        },
        changed=(("h.py", "i+1", "i+2"), ("h.py", "i*2", "i*3")),
    ),
    "star all": Case(
        {
            "pipeline.py": """\
from s import *
def train(x):
    return f(x)+_g()
""",
            "s.py": """\
from s2 import *
__all__=['f','_g']
def _g(): return 1
def un(): return 7
""",
            "s2.py": """\
def f(x): return x
""",
        },
        changed=(("s.py", "return 1", "return 2"), ("s2.py", "return x", "return -x")),
        same=(("s.py", "7", "8"),),
    ),
    "star all decides": Case(
        {
            "pipeline.py": """\
from s import *
from t import *
def train(x):
    return f(x)
""",
            "s.py": """\
def f(x): return 1
""",
            "t.py": """\
__all__=['g']
def f(x): return 2
def g(): return 1
""",
        },
        changed=(("s.py", "return 1", "return 3"), ("t.py", "['g']", "['f']")),
    ),
    "star via helper attr": Case(
        {
            "pipeline.py": """\
import s
def train(x):
    return s.f(x)
""",
            "s.py": """\
from t import *
from u import *
""",
            "t.py": """\
def f(x): return 2
""",
            "u.py": """\
__all__=['g']
def f(x): return 3
def g(): pass
""",
        },
        changed=(("t.py", "2", "4"), ("u.py", "['g']", "['f']")),
    ),
    "lazy getattr package": Case(
        {
            "pipeline.py": """\
import lab
def train(x):
    return lab.fit(x)
""",
            "lab/__init__.py": """\
import importlib
_M={'fit':'.linear'}
def __getattr__(n):
    return getattr(importlib.import_module(_M[n],__name__),n)
""",
            "lab/linear.py": """\
def fit(x): return x
""",
            "lab/other.py": """\
def fit(x): return 9*x
""",
        },
        changed=(("lab/linear.py", "return x", "return -x"), ("lab/__init__.py", ".linear", ".other")),
    ),
    "lazy getattr from": Case(
        {
            "pipeline.py": """\
from lab import fit
def train(x):
    return fit(x)
""",
            "lab/__init__.py": """\
def __getattr__(n):
    if n=='fit':
        from .linear import fit
        return fit
    raise AttributeError(n)
""",
            "lab/linear.py": """\
def fit(x): return x
""",
        },
        changed=(("lab/linear.py", "return x", "return -x"),),
    ),
    "functions as values": Case(
        {
            "pipeline.py": """\
import h
D={'k':h.a}
def app(f,x): return f(x)
def train(x):
    return list(map(h.b,[x]))+[app(h.c,x), D['k'](x)]
""",
            "h.py": """\
def a(x): return 1
def b(x): return 2
def c(x): return 3
""",
        },
        changed=(("h.py", "1", "5"), ("h.py", "2", "5"), ("h.py", "3", "5")),
    ),
    "registry class method": Case(
        {
            "pipeline.py": """\
from reg import R
import plug
def train(x):
    return R.get('a')(x)
""",
            "reg.py": """\
class Registry:
    def __init__(self): self.d={}
    def register(self,n):
        def w(f):
            self.d[n]=f
            return f
        return w
    def get(self,n): return self.d[n]
R=Registry()
""",
            "plug.py": """\
from reg import R
from deep import far
@R.register('a')
def f(x): return far(x)
""",
            "deep.py": """\
def far(x): return 4
""",
        },
        changed=(("deep.py", "4", "5"),),
    ),
    "registry add fn not attribute": Case(
        {
            "pipeline.py": """\
from reg import add, D
import plug
def train(x):
    return D['f'](x)
""",
            "reg.py": """\
D={}
def add(f):
    _put(f.__name__, f)
    return f
def _put(n,f):
    D.update({n: f})
""",
            "plug.py": """\
from reg import add
@add
def f(x): return 4
""",
        },
        changed=(("plug.py", "4", "5"),),
    ),
    "registry by classmethod": Case(
        {
            "pipeline.py": """\
from reg import R
import plug
def train(x):
    return R.D['f'](x)
""",
            "reg.py": """\
class R:
    D={}
    @classmethod
    def add(cls,f):
        cls.D[f.__name__]=f
        return f
""",
            "plug.py": """\
from reg import R
@R.add
def f(x): return 4
""",
        },
        changed=(("plug.py", "4", "5"),),
    ),
    "registry class self decorated": Case(
        {
            "pipeline.py": """\
from reg import lookup
import plug
def train(x):
    return lookup('f')(x)
""",
            "reg.py": """\
_r={}
class register:
    def __init__(self,n): self.n=n
    def __call__(self,f):
        _r[self.n]=f
        return f
def lookup(n): return _r[n]
""",
            "plug.py": """\
from reg import register
@register('f')
def f(x): return 4
""",
        },
        changed=(("plug.py", "4", "5"),),
    ),
    "singledispatch method": Case(
        {
            "pipeline.py": """\
from k import K
import reg2
def train(x):
    return K().go(x)
""",
            "k.py": """\
import functools
class K:
    @functools.singledispatchmethod
    def go(self,x): return 1
    @go.register
    def _(self,x: int): return 2
""",
            "reg2.py": """\
from k import K
@K.go.register
def _(self, x: bool): return 3
""",
        },
        changed=(("k.py", "return 2", "return 5"),),
    ),
    "conditional version": Case(
        {
            "pipeline.py": """\
import sys
if sys.version_info >= (3, 8):
    def f(x): return 1
else:
    def f(x): return 2
try:
    import not_there as q
except ImportError:
    q=None
def train(x):
    return f(x), q
""",
            "h.py": "",
        },
        changed=(("pipeline.py", "return 1", "return 3"), ("pipeline.py", "q=None", "q=5")),
    ),
    "main block": Case(
        {
            "pipeline.py": """\
def h(): return 1
def train(x):
    return h()
if __name__=='__main__':
    import sys
    h=lambda: 5
    train(1)
""",
        },
        changed=(("pipeline.py", "return 1", "return 2"),),
        same=(("pipeline.py", "train(1)", "train(2)"),),
    ),
    "namespace": Case(
        {
            "pipeline.py": """\
from ns.sub.m import f
def train(x):
    return f(x)
""",
            "ns/sub/m.py": """\
from ..oth import g
def f(x): return g(x)
""",
            "ns/oth.py": """\
def g(x): return 3
""",
        },
        changed=(("ns/oth.py", "3", "4"),),
    ),
    "circular": Case(
        {
            "pipeline.py": """\
import o
def a(n): return o.b(n-1) if n else 1
def train(x):
    return a(x)
""",
            "o.py": """\
def b(n):
    import pipeline
    return pipeline.a(n-1)+1 if n else 2
""",
        },
        changed=(("o.py", "+1", "+2"),),
    ),
    "module-level exec": Case(
        {
            "pipeline.py": """\
SRC='def f(x): return HID(x)'
def HID(x): return 1
exec(SRC)
def train(x):
    return f(x)
""",
        },
        changed=(
            ("pipeline.py", "return 1", "return 2"),
            ("pipeline.py", "return HID(x)", "return HID(x)+1"),
        ),
    ),
    "module-level exec other module": Case(
        {
            "pipeline.py": """\
import m
def train(x):
    return m.f(x)
""",
            "m.py": """\
def HID(x): return 1
exec('def f(x): return HID(x)')
""",
        },
        changed=(("m.py", "return 1", "return 2"),),
    ),
    "module-level exec overrides": Case(
        {
            "pipeline.py": """\
import m
def train(x):
    return m.f(x)
""",
            "m.py": """\
def HID(x): return 1
def f(x): return 0
exec('def f(x): return HID(x)')
""",
        },
        changed=(("m.py", "return 1", "return 2"),),
    ),
    "module-level exec in reached constant": Case(
        {
            "pipeline.py": """\
A=eval('B+1') if False else 0
A=0
def train(x):
    return A
""",
        },
        changed=(("pipeline.py", "A=0", "A=1"),),
    ),
    "eval at module level": Case(
        {
            "pipeline.py": """\
B=1
A=eval('B+1')
def train(x):
    return A
""",
        },
        changed=(("pipeline.py", "B=1", "B=2"),),
    ),
    "globals update": Case(
        {
            "pipeline.py": """\
def h(): return 1
globals()['zed']=h
globals().update(zod=h)
def train(x):
    return zed()+zod()
""",
        },
        changed=(("pipeline.py", "return 1", "return 2"),),
    ),
    "setattr on sys.modules": Case(
        {
            "pipeline.py": """\
import sys
def h(): return 1
setattr(sys.modules[__name__],'zed',h)
def train(x):
    return zed()
""",
        },
        changed=(("pipeline.py", "return 1", "return 2"),),
    ),
    "monkeypatch other module": Case(
        {
            "pipeline.py": """\
import h
import patch
def train(x):
    return h.f(x)
""",
            "h.py": """\
def f(x): return 1
""",
            "patch.py": """\
import h
def new(x): return 2
h.f=new
""",
        },
        changed=(("patch.py", "return 2", "return 3"),),
    ),
    "monkeypatch in function at import": Case(
        {
            "pipeline.py": """\
import h
import patch
def train(x):
    return h.f(x)
""",
            "h.py": """\
def f(x): return 1
""",
            "patch.py": """\
import h
def new(x): return 2
def apply():
    h.f=new
apply()
""",
        },
        changed=(("patch.py", "return 2", "return 3"),),
    ),
    "init subclass elsewhere": Case(
        {
            "pipeline.py": """\
from b import B
import subs
def train(x):
    return [c.v for c in B.all]
""",
            "b.py": """\
class B:
    all=[]
    def __init_subclass__(cls,**k):
        B.all.append(cls)
""",
            "subs.py": """\
from b import B
class S(B):
    v=1
""",
        },
        changed=(("subs.py", "v=1", "v=2"),),
    ),
    "metaclass registry": Case(
        {
            "pipeline.py": """\
from b import Meta, B
import subs
def train(x):
    return [c.v for c in Meta.all]
""",
            "b.py": """\
class Meta(type):
    all=[]
    def __init__(cls,n,b,d):
        Meta.all.append(cls)
class B(metaclass=Meta):
    v=0
""",
            "subs.py": """\
from b import B
class S(B):
    v=1
""",
        },
        changed=(("subs.py", "v=1", "v=2"),),
    ),
    "descriptor __set_name__": Case(
        {
            "pipeline.py": """\
from d import Desc
class A:
    q=Desc(3)
def train(x):
    return A().q
""",
            "d.py": """\
class Desc:
    def __init__(s,v): s.v=v
    def __get__(s,i,o): return s.v*2
""",
        },
        changed=(("d.py", "*2", "*3"), ("pipeline.py", "(3)", "(4)")),
    ),
    "instance at module level": Case(
        {
            "pipeline.py": """\
from m import obj
def train(x):
    return obj.go(x)
""",
            "m.py": """\
from k import K
obj=K(3)
obj.q=4
""",
            "k.py": """\
class K:
    def __init__(s,n): s.n=n
    def go(s,x): return s.n*x+s.q
""",
        },
        changed=(("m.py", "K(3)", "K(5)"), ("m.py", "q=4", "q=5"), ("k.py", "*x", "+x")),
    ),
    "method changes global instance": Case(
        {
            "pipeline.py": """\
from m import obj
import conf
def train(x):
    return obj.n
""",
            "m.py": """\
class K:
    n=0
    def set(s,n): s.n=n
obj=K()
""",
            "conf.py": """\
from m import obj
obj.set(4)
""",
        },
        changed=(("conf.py", "set(4)", "set(5)"),),
    ),
    "argument mutated in helper call": Case(
        {
            "pipeline.py": """\
import m
CFG={}
m.fill(CFG)
def train(x):
    return CFG
""",
            "m.py": """\
def fill(d):
    d['a']=1
""",
        },
        changed=(("m.py", "=1", "=2"),),
    ),
    "argument mutated assigned call": Case(
        {
            "pipeline.py": """\
import m
CFG={}
_=m.fill(CFG)
def train(x):
    return CFG
""",
            "m.py": """\
def fill(d):
    d['a']=1
""",
        },
        changed=(("m.py", "=1", "=2"),),
    ),
    "mutated in for loop": Case(
        {
            "pipeline.py": """\
CFG={}
for k,v in [('a',1)]:
    CFG[k]=v
def train(x):
    return CFG
""",
        },
        changed=(("pipeline.py", "1)", "2)"),),
    ),
    "mutated via alias": Case(
        {
            "pipeline.py": """\
CFG={}
B=CFG
B['a']=1
def train(x):
    return CFG
""",
        },
        changed=(("pipeline.py", "=1", "=2"),),
    ),
    "mutated via unpack alias": Case(
        {
            "pipeline.py": """\
CFG={}
B,C=CFG,1
B['a']=1
def train(x):
    return CFG
""",
        },
        changed=(("pipeline.py", "=1", "=2"),),
    ),
    "comprehension side effect": Case(
        {
            "pipeline.py": """\
CFG=[]
[CFG.append(i) for i in range(3)]
def train(x):
    return CFG
""",
        },
        changed=(("pipeline.py", "range(3)", "range(4)"),),
    ),
    "assigned side effect": Case(
        {
            "pipeline.py": """\
CFG=[]
_=CFG.append(3)
def train(x):
    return CFG
""",
        },
        changed=(("pipeline.py", "(3)", "(4)"),),
    ),
    "tuple of side effects": Case(
        {
            "pipeline.py": """\
CFG=[]
CFG.append(3), CFG.append(4)
def train(x):
    return CFG
""",
        },
        changed=(("pipeline.py", "(3)", "(5)"), ("pipeline.py", "(4)", "(5)")),
    ),
    "conditional expr side effect": Case(
        {
            "pipeline.py": """\
CFG=[]
True and CFG.append(3)
CFG.append(4) if True else None
def train(x):
    return CFG
""",
        },
        changed=(("pipeline.py", "(3)", "(5)"), ("pipeline.py", "(4)", "(5)")),
    ),
    "if test side effect": Case(
        {
            "pipeline.py": """\
CFG=[]
if CFG.append(3) is None:
    pass
assert CFG.append(4) is None
def train(x):
    return CFG
""",
        },
        changed=(("pipeline.py", "(3)", "(5)"), ("pipeline.py", "(4)", "(5)")),
    ),
    "with body side effect": Case(
        {
            "pipeline.py": """\
import contextlib
CFG=[]
with contextlib.suppress(KeyError):
    CFG.append(3)
    CFG.pop('x') if 0 else None
def train(x):
    return CFG
""",
        },
        changed=(("pipeline.py", "(3)", "(5)"),),
    ),
    "with as an attribute": Case(
        {
            "pipeline.py": """\
import contextlib, io
class C: pass
with contextlib.nullcontext(3) as C.x:
    pass
def train(x):
    return C.x
""",
        },
        changed=(("pipeline.py", "(3)", "(5)"),),
    ),
    "for target attribute": Case(
        {
            "pipeline.py": """\
class C: pass
D={}
for C.x in (1,2): pass
for D['a'] in (3,4): pass
def train(x):
    return C.x, D
""",
        },
        changed=(("pipeline.py", "(1,2)", "(1,5)"), ("pipeline.py", "(3,4)", "(3,5)")),
    ),
    "starred target attr": Case(
        {
            "pipeline.py": """\
class C: pass
D={}
a,(C.x,*D['q'])=1,(2,3,4)
def train(x):
    return C.x, D
""",
        },
        changed=(("pipeline.py", "(2,3,4)", "(5,3,4)"),),
    ),
    "del subscript": Case(
        {
            "pipeline.py": """\
D={'a':1,'b':2}
del D['a']
def train(x):
    return D
""",
        },
        changed=(("pipeline.py", "del D['a']", "del D['b']"),),
    ),
    "import for effects inside package parent": Case(
        {
            "pipeline.py": """\
from lab.sub import f
def train(x):
    return f(x)
""",
            "lab/__init__.py": """\
from lab import conf
conf.V=7
""",
            "lab/conf.py": """\
V=1
""",
            "lab/sub.py": """\
from lab import conf
def f(x): return conf.V
""",
        },
        changed=(("lab/__init__.py", "7", "8"),),
    ),
    "try import first party flag": Case(
        {
            "pipeline.py": """\
try:
    import opt
    HAS=True
except ImportError:
    HAS=False
def train(x):
    return HAS and opt.f(x)
""",
            "opt.py": """\
def f(x): return 3
""",
        },
        changed=(("opt.py", "3", "4"), ("pipeline.py", "HAS=True", "HAS=0")),
    ),
    "annotations eval'd class body fields default": Case(
        {
            "pipeline.py": """\
class A:
    x: int = 3
    def f(self, y: int = 4): return self.x+y
def train(x):
    return A().f()
""",
        },
        changed=(("pipeline.py", "= 3", "= 5"), ("pipeline.py", "= 4", "= 5")),
    ),
    "nested function closure": Case(
        {
            "pipeline.py": """\
import h
def train(x):
    def inner(y):
        def deep(): return h.q(y)
        return deep()
    return inner(x)
""",
            "h.py": """\
def q(y): return y+1
""",
        },
        changed=(("h.py", "+1", "+2"),),
    ),
    "class inside function": Case(
        {
            "pipeline.py": """\
import h
def train(x):
    class A(h.B):
        z=h.Z
    return A().go(), A.z
""",
            "h.py": """\
class B:
    def go(self): return 1
Z=2
""",
        },
        changed=(("h.py", "return 1", "return 3"), ("h.py", "Z=2", "Z=3")),
    ),
    "walrus in a comprehension": Case(
        {
            "pipeline.py": """\
T=[y:=f for f in range(4)]
def train(x):
    return y
""",
        },
        changed=(("pipeline.py", "range(4)", "range(5)"),),
    ),
    "except star/handler name": Case(
        {
            "pipeline.py": """\
try:
    raise ValueError(3)
except ValueError as e:
    E=e.args
def train(x):
    return E
""",
        },
        changed=(("pipeline.py", "(3)", "(4)"),),
    ),
    "try whose body raises decided by statement": Case(
        {
            "pipeline.py": """\
try:
    int('x')
    A=1
except ValueError:
    A=2
def train(x):
    return A
""",
        },
        changed=(("pipeline.py", "int('x')", "int('3')"),),
    ),
    "try body other binding decides": Case(
        {
            "pipeline.py": """\
try:
    q=int('x')
    A=1
except ValueError:
    A=2
def train(x):
    return A
""",
        },
        changed=(("pipeline.py", "int('x')", "int('3')"),),
    ),
    "with suppress decides": Case(
        {
            "pipeline.py": """\
import contextlib
A=1
with contextlib.suppress(ValueError):
    q=int('x')
    A=2
def train(x):
    return A
""",
        },
        changed=(("pipeline.py", "int('x')", "int('3')"),),
    ),
    "loop with break decides": Case(
        {
            "pipeline.py": """\
for i in range(5):
    A=i
    if i==2: break
def train(x):
    return A
""",
        },
        changed=(("pipeline.py", "==2", "==3"),),
    ),
    "assert in guard": Case(
        {
            "pipeline.py": """\
A=1
try:
    assert A==1
    B=1
except AssertionError:
    B=2
def train(x):
    return B
""",
        },
        changed=(("pipeline.py", "assert A==1", "assert A==2"),),
    ),
    "type alias / newtype": Case(
        {
            "pipeline.py": """\
import typing
T=typing.NewType('T',int)
Kinds=typing.Literal['a','b']
def train(x):
    return typing.get_args(Kinds)
""",
        },
        changed=(("pipeline.py", "'b'", "'c'"),),
    ),
    "namedtuple functional": Case(
        {
            "pipeline.py": """\
import collections
R=collections.namedtuple('R','a b',defaults=[1,2])
def train(x):
    return R()
""",
        },
        changed=(("pipeline.py", "[1,2]", "[1,3]"),),
    ),
    "string format with names": Case(
        {
            "pipeline.py": """\
V=3
def train(x):
    return f'{V!r:>{W}}'
W=4
""",
        },
        changed=(("pipeline.py", "V=3", "V=4"), ("pipeline.py", "W=4", "W=5")),
    ),
    "global decl in method": Case(
        {
            "pipeline.py": """\
class A:
    def go(self):
        global Q
        Q=5
A().go()
def train(x):
    return Q
""",
        },
        changed=(("pipeline.py", "Q=5", "Q=6"),),
    ),
    "function attribute": Case(
        {
            "pipeline.py": """\
def h(x): return h.k
h.k=3
def train(x):
    return h(x)
""",
        },
        changed=(("pipeline.py", "k=3", "k=4"),),
    ),
    "function attribute elsewhere": Case(
        {
            "pipeline.py": """\
import h, z
def train(x):
    return h.h(x)
""",
            "h.py": """\
def h(x): return h.k
h.k=3
""",
            "z.py": """\
import h
h.h.k=5
""",
        },
        changed=(("z.py", "k=5", "k=4"),),
    ),
    "class attr set elsewhere": Case(
        {
            "pipeline.py": """\
import h, z
def train(x):
    return h.H.k
""",
            "h.py": """\
class H:
    k=3
""",
            "z.py": """\
from h import H
H.k=5
""",
        },
        changed=(("z.py", "k=5", "k=4"),),
    ),
    "subclass attr through base set elsewhere": Case(
        {
            "pipeline.py": """\
import h, z
def train(x):
    return h.S.k
""",
            "h.py": """\
class H:
    k=3
class S(H): pass
""",
            "z.py": """\
from h import H
H.k=5
""",
        },
        changed=(("z.py", "k=5", "k=4"),),
    ),
    "__init__ re-export via from . import *": Case(
        {
            "pipeline.py": """\
from lab import f
def train(x):
    return f(x)
""",
            "lab/__init__.py": """\
from .a import *
from .b import *
""",
            "lab/a.py": """\
def f(x): return 1
""",
            "lab/b.py": """\
def g(x): return 1
""",
        },
        changed=(("lab/a.py", "1", "2"),),
        same=(("lab/b.py", "1", "2"),),
    ),
    "import as submodule attr": Case(
        {
            "pipeline.py": """\
import lab.a as q
import lab.b
def train(x):
    return q.f(x)+lab.b.g(x)
""",
            "lab/__init__.py": "",
            "lab/a.py": """\
def f(x): return 1
""",
            "lab/b.py": """\
def g(x): return 1
""",
        },
        changed=(("lab/a.py", "1", "2"), ("lab/b.py", "1", "2")),
    ),
    "submodule shadowed by init name": Case(
        {
            "pipeline.py": """\
import lab
def train(x):
    return lab.a(x)
""",
            "lab/__init__.py": """\
from .a import a
""",
            "lab/a.py": """\
def a(x): return 1
""",
        },
        changed=(("lab/a.py", "1", "2"),),
    ),
    "bound method as value": Case(
        {
            "pipeline.py": """\
from m import K
go=K(2).go
def train(x):
    return go(x)
""",
            "m.py": """\
class K:
    def __init__(s,n): s.n=n
    def go(s,x): return s.n+x
""",
        },
        changed=(("pipeline.py", "K(2)", "K(3)"), ("m.py", "s.n+x", "s.n-x")),
    ),
    "operator.methodcaller / attrgetter name": Case(
        {
            "pipeline.py": """\
import operator, h
def train(x):
    return operator.attrgetter('f')(h)(x)
""",
            "h.py": """\
def f(x): return 1
""",
        },
        changed=(("h.py", "1", "2"),),
    ),
    "getattr default const name class": Case(
        {
            "pipeline.py": """\
import h
def train(x):
    return getattr(h.K,'f')(x)
""",
            "h.py": """\
class K:
    @staticmethod
    def f(x): return 1
""",
        },
        changed=(("h.py", "1", "2"),),
    ),
    "importlib relative with package kw": Case(
        {
            "pipeline.py": """\
import lab.x
def train(x):
    return lab.x.go()
""",
            "lab/__init__.py": "",
            "lab/x.py": """\
import importlib
def go():
    return importlib.import_module('.y', package=__package__).V
""",
            "lab/y.py": """\
V=1
""",
        },
        changed=(("lab/y.py", "V=1", "V=2"),),
    ),
    "__import__ in def": Case(
        {
            "pipeline.py": """\
def train(x):
    return __import__('h').f(x)
""",
            "h.py": """\
def f(x): return 1
""",
        },
        changed=(("h.py", "1", "2"),),
    ),
    "pkgutil iter": Case(
        {
            "pipeline.py": """\
import pkgutil, importlib, plugins
ALL=[importlib.import_module(f'plugins.{m.name}') for m in pkgutil.iter_modules(plugins.__path__)]
def train(x):
    return [m.V for m in ALL]
""",
            "plugins/__init__.py": "",
            "plugins/a.py": """\
V=1
""",
        },
        changed=(("plugins/a.py", "V=1", "V=2"),),
    ),
    "type() made class": Case(
        {
            "pipeline.py": """\
def go(self): return 1
K=type('K',(),{'go':go})
def train(x):
    return K().go()
""",
        },
        changed=(("pipeline.py", "return 1", "return 2"),),
    ),
    "slots, classvar, __class_getitem__": Case(
        {
            "pipeline.py": """\
import h
class K(h.G[int]):
    pass
def train(x):
    return K().v()
""",
            "h.py": """\
import typing
T=typing.TypeVar('T')
class G(typing.Generic[T]):
    def v(self): return 1
""",
        },
        changed=(("h.py", "return 1", "return 2"),),
    ),
    "annotated metadata": Case(
        {
            "pipeline.py": """\
import typing
class Lim:
    def __init__(s,n): s.n=n
A=typing.Annotated[int,Lim(3)]
def train(x: A):
    return typing.get_args(A)[1].n
""",
        },
        changed=(("pipeline.py", "Lim(3)", "Lim(4)"),),
    ),
    "a subclass made elsewhere": Case(
        {
            "pipeline.py": """\
import subs
from b import B
def train(x: B):
    return subs.make().go()
""",
            "b.py": """\
class B:
    def go(self): return self.hook()
""",
            "subs.py": """\
from b import B
class S(B):
    def hook(self): return 1
def make(): return S()
""",
        },
        changed=(("subs.py", "return 1", "return 2"),),
    ),
    "an effect of a module that a function imports": Case(
        {
            "pipeline.py": """\
def train(x):
    import late
    import os
    return os.environ['ZZ']
""",
            "late.py": """\
import os
os.environ['ZZ']='1'
""",
        },
        changed=(("late.py", "'1'", "'2'"),),
    ),
    "effects by assignment call": Case(
        {
            "pipeline.py": """\
import conf
def train(x):
    import os
    return os.environ['ZZ']
""",
            "conf.py": """\
import os
def setup():
    os.environ['ZZ']='1'
    return 3
q=setup()
""",
        },
        changed=(("conf.py", "'1'", "'2'"),),
    ),
    "effects by class body": Case(
        {
            "pipeline.py": """\
import conf
def train(x):
    import os
    return os.environ['ZZ']
""",
            "conf.py": """\
import os
class Z:
    os.environ['ZZ']='1'
""",
        },
        changed=(("conf.py", "'1'", "'2'"),),
    ),
    "effects by decorator": Case(
        {
            "pipeline.py": """\
import conf
def train(x):
    import os
    return os.environ['ZZ']
""",
            "conf.py": """\
import os
def run(f):
    f()
    return f
@run
def setup():
    os.environ['ZZ']='1'
""",
        },
        changed=(("conf.py", "'1'", "'2'"),),
    ),
    "effects by with": Case(
        {
            "pipeline.py": """\
import conf
def train(x):
    import os
    return os.environ['ZZ']
""",
            "conf.py": """\
import os, contextlib
with contextlib.suppress(KeyError):
    os.environ['ZZ']='1'
""",
        },
        changed=(("conf.py", "'1'", "'2'"),),
    ),
    "an effect inside an append": Case(
        {
            "pipeline.py": """\
L=[]
def setup():
    import os
    os.environ['ZZ']='1'
L.append(setup())
def train(x):
    import os
    return os.environ['ZZ']
""",
        },
        changed=(("pipeline.py", "'1'", "'2'"),),
    ),
    "augmented global via helper fn at import": Case(
        {
            "pipeline.py": """\
import reg, plug
def train(x):
    return reg.N
""",
            "reg.py": """\
N=0
def bump(k):
    global N
    N+=k
""",
            "plug.py": """\
import reg
reg.bump(3)
""",
        },
        changed=(("plug.py", "3", "4"),),
    ),
    "registry fill in loop": Case(
        {
            "pipeline.py": """\
import reg, plug
def train(x):
    return reg.D['a'](x)
""",
            "reg.py": """\
D={}
""",
            "plug.py": """\
import reg
def f(x): return 1
def g(x): return 2
for n,h in [('a',f),('b',g)]:
    reg.D[n]=h
""",
        },
        changed=(("plug.py", "return 1", "return 3"),),
    ),
    "registry update from dict": Case(
        {
            "pipeline.py": """\
import reg, plug
def train(x):
    return reg.D['a'](x)
""",
            "reg.py": """\
D={}
""",
            "plug.py": """\
from reg import D
def f(x): return 1
D |= {'a': f}
""",
        },
        changed=(("plug.py", "return 1", "return 3"),),
    ),
    "annotations of helpers": Case(
        {
            "pipeline.py": """\
def h(x: 'list[int]') -> 'str':
    y: int = x
    return y
def train(x):
    return h(x)
""",
        },
        same=(
            ("pipeline.py", "list[int]", "list[str]"),
            ("pipeline.py", "'str'", "'int'"),
            ("pipeline.py", "y: int", "y: str"),
        ),
    ),
    "docstrings and comments in a class": Case(
        {
            "pipeline.py": """\
class A:
    '''doc'''
    def f(self):
        '''doc2'''
        return 1
    # c
    x = 3
def train(x):
    return A().f()
""",
        },
        same=(
            ("pipeline.py", "'''doc'''\n", "'''docs'''\n"),
            ("pipeline.py", "'''doc2'''", "'''docz'''"),
            ("pipeline.py", "    # c\n", ""),
        ),
    ),
    "order of methods": Case(
        {
            "pipeline.py": """\
class A:
    def f(self): return 1
    def g(self): return 2
def h1(): return 1
def h2(): return 2
def train(x):
    return A().f()+h1()+h2()
""",
        },
        same=(
            (
                "pipeline.py",
                "def h1(): return 1\ndef h2(): return 2\n",
                "def h2(): return 2\ndef h1(): return 1\n",
            ),
        ),
    ),
    "star order": Case(
        {
            "pipeline.py": """\
from s import *
from t import *
def train(x):
    return f(x)
""",
            "s.py": """\
def f(x): return 1
""",
            "t.py": """\
def f(x): return 2
_p=1
""",
        },
        changed=(("pipeline.py", "from s import *\nfrom t import *", "from t import *\nfrom s import *"),),
        same=(("t.py", "_p=1", "_p=2"),),
    ),
    "star order own": Case(
        {
            "pipeline.py": """\
from s import *
def f(x): return 5
def train(x):
    return f(x)
""",
            "s.py": """\
def f(x): return 1
__all__=['f','g']
def g(): pass
""",
        },
        changed=(
            ("pipeline.py", "from s import *\ndef f(x): return 5\n", "def f(x): return 5\nfrom s import *\n"),
        ),
        same=(("s.py", "'g'", "'f'"),),
    ),
    "star computed all": Case(
        {
            "pipeline.py": """\
from s import *
def train(x):
    return f(x)
""",
            "s.py": """\
def f(x): return 1
__all__=['f']
__all__+=['g']
def g(): return 1
""",
        },
        changed=(("s.py", "return 1", "return 2"),),
    ),
    "star all grows": Case(
        {
            "pipeline.py": """\
from s import *
def train(x):
    return f(x)
""",
            "s.py": """\
def f(x): return 1
__all__=['f']
def g(): return 1
""",
        },
        same=(("s.py", "['f']", "['f','g']"),),
    ),
    "getattr call passed args": Case(
        {
            "pipeline.py": """\
import m, h
def train(x):
    return getattr(h,'f')(m,'other')
""",
            "h.py": """\
def f(m,n): return 1
""",
            "m.py": """\
def other(): return 3
""",
        },
        changed=(("h.py", "return 1", "return 2"),),
    ),
    "log helper assigned is not effect": Case(
        {
            "pipeline.py": """\
import logging
import oth
def train(x):
    return x
""",
            "oth.py": """\
import logging
def get():
    l=logging.getLogger('x')
    return l
LOG=get()
ROWS=list(range(3))
""",
        },
        same=(("oth.py", "'x'", "'y'"), ("oth.py", "range(3)", "range(4)")),
    ),
    "constant computed by pure helper elsewhere not effect": Case(
        {
            "pipeline.py": """\
import oth
def train(x):
    return x
""",
            "oth.py": """\
def mk(n):
    out=[]
    for i in range(n): out.append(i)
    return out
ROWS=mk(3)
class K:
    z=mk(4)
    def __init__(self): self.q=3
k=K()
""",
        },
        same=(("oth.py", "mk(3)", "mk(5)"), ("oth.py", "mk(4)", "mk(5)"), ("oth.py", "q=3", "q=4")),
    ),
    "class fields with own call": Case(
        {
            "pipeline.py": """\
import oth
def train(x):
    return x
""",
            "oth.py": """\
class K:
    items=[]
    items.append(3)
    z={}
    z['a']=3
""",
        },
        same=(("oth.py", "append(3)", "append(4)"), ("oth.py", "z['a']=3", "z['a']=4")),
    ),
    "instance method effects": Case(
        {
            "pipeline.py": """\
from m import c
_=c.next()
def train(x):
    return c.n
""",
            "m.py": """\
class C:
    n=0
    def next(self):
        self.n+=1
        return self.n
c=C()
""",
        },
        changed=(("m.py", "+=1", "+=2"), ("pipeline.py", "_=c.next()\n", "")),
    ),
    "string registry computed import": Case(
        {
            "pipeline.py": """\
import loader
def train(x):
    return loader.load('a')(x)
""",
            "loader.py": """\
import importlib
PATHS={'a':'models.a:fit','b':'models.b:fit'}
def load(n):
    m,f=PATHS[n].split(':')
    return getattr(importlib.import_module(m),f)
""",
            "models/a.py": """\
def fit(x): return 1
""",
            "models/b.py": """\
def fit(x): return 2
""",
        },
        changed=(("models/a.py", "1", "3"), ("loader.py", "'models.a:fit'", "'models.b:fit'")),
    ),
    "a protocol as annotation": Case(
        {
            "pipeline.py": """\
import typing
from impl import get
class Pr(typing.Protocol):
    def go(self): ...
def train(x):
    m: Pr = get()
    return m.go()
""",
            "impl.py": """\
class I:
    def go(self): return 1
def get(): return I()
""",
        },
        changed=(("impl.py", "return 1", "return 2"),),
    ),
    "contextvars and threadlocal": Case(
        {
            "pipeline.py": """\
import contextvars
V=contextvars.ContextVar('v',default=1)
V.set(3)
def train(x):
    return V.get()
""",
        },
        changed=(("pipeline.py", "set(3)", "set(4)"),),
    ),
    "nested package init effects": Case(
        {
            "pipeline.py": """\
import a.b.c
def train(x):
    import os
    return os.environ['ZZ']
""",
            "a/__init__.py": "",
            "a/b/__init__.py": """\
import os
os.environ['ZZ']='1'
""",
            "a/b/c.py": "",
        },
        changed=(("a/b/__init__.py", "'1'", "'2'"),),
    ),
    "a partial as decorator": Case(
        {
            "pipeline.py": """\
import functools, d
@functools.partial(d.deco,k=3)
def h(x): return x
def train(x):
    return h(x)
""",
            "d.py": """\
def deco(f,k):
    return lambda x: f(x)*k
""",
        },
        changed=(("pipeline.py", "k=3", "k=4"), ("d.py", "*k", "+k")),
    ),
    "decorator from instance attr": Case(
        {
            "pipeline.py": """\
from d import app
@app.wrap
def h(x): return x
def train(x):
    return h(x)
""",
            "d.py": """\
class App:
    def wrap(self,f):
        return lambda x: f(x)*2
app=App()
""",
        },
        changed=(("d.py", "*2", "*3"),),
    ),
    "a constant from pure library calls elsewhere": Case(
        {
            "pipeline.py": """\
import oth
def train(x):
    return x
""",
            "oth.py": """\
import math, operator, copy
def mk(n):
    return operator.add(n, math.floor(2.5))
ROWS=mk(3)
T=copy.copy([1])
U=operator.add(1,2)
""",
        },
        same=(
            ("oth.py", "mk(3)", "mk(5)"),
            ("oth.py", "[1]", "[2]"),
            ("oth.py", "(1,2)", "(1,3)"),
            ("oth.py", "2.5", "3.5"),
        ),
    ),
    "a seed whose result is taken": Case(
        {
            "pipeline.py": """\
import conf, random
def train(x):
    return random.random()
""",
            "conf.py": """\
from random import seed
_=seed(3)
""",
        },
        changed=(("conf.py", "(3)", "(4)"),),
    ),
    "environment changed in an expression": Case(
        {
            "pipeline.py": """\
import conf, os
def train(x):
    return os.environ['ZZ']
""",
            "conf.py": """\
from os import environ
old=environ.setdefault('ZZ','1')
""",
        },
        changed=(("conf.py", "'1'", "'2'"),),
    ),
    "a seed in a function whose result is taken": Case(
        {
            "pipeline.py": """\
import conf, random
def train(x):
    return random.random()
""",
            "conf.py": """\
import random
def start(n):
    random.seed(n)
    return n
SEED=start(3)
""",
        },
        changed=(("conf.py", "(3)", "(4)"),),
    ),
    "a class that acts when it is made": Case(
        {
            "pipeline.py": """\
import conf, random
def train(x):
    return random.random()
""",
            "conf.py": """\
import random
class S:
    def __init__(self,n):
        random.seed(n)
    def other(self):
        return 1
s=S(3)
""",
        },
        changed=(("conf.py", "(3)", "(4)"),),
    ),
    "an alias of an alias": Case(
        {
            "pipeline.py": """\
from h import run as go
ALIAS=go
def train(x):
    return ALIAS(x)
""",
            "h.py": """\
from g import impl
run=impl
""",
            "g.py": """\
def impl(x): return 1
""",
        },
        changed=(("g.py", "1", "2"),),
    ),
    "conditional import alias": Case(
        {
            "pipeline.py": """\
import sys
if sys.platform:
    import a as m
else:
    import b as m
def train(x):
    return m.f(x)
""",
            "a.py": """\
def f(x): return 1
""",
            "b.py": """\
def f(x): return 2
""",
        },
        changed=(("a.py", "1", "3"),),
    ),
    "default mutable shared": Case(
        {
            "pipeline.py": """\
import h
def acc(x,store=h.STORE):
    store.append(x)
    return store
def train(x):
    return list(acc(x))
""",
            "h.py": """\
STORE=[1]
""",
        },
        changed=(("h.py", "[1]", "[2]"),),
    ),
    "generator pipeline": Case(
        {
            "pipeline.py": """\
from h import gen
def train(x):
    return list(y for y in gen(x))
""",
            "h.py": """\
from g import inner
def gen(n):
    yield from inner(n)
""",
            "g.py": """\
def inner(n):
    yield n
""",
        },
        changed=(("g.py", "yield n", "yield -n"),),
    ),
    "context manager class": Case(
        {
            "pipeline.py": """\
from h import CM
def train(x):
    with CM(x) as c:
        return c
""",
            "h.py": """\
class CM:
    def __init__(s,x): s.x=x
    def __enter__(s): return s.x+K
    def __exit__(s,*a): return False
K=3
""",
        },
        changed=(("h.py", "K=3", "K=4"),),
    ),
    "exception class in except": Case(
        {
            "pipeline.py": """\
from h import Err, go
def train(x):
    try:
        return go(x)
    except Err as e:
        return str(e)
""",
            "h.py": """\
class Err(Exception):
    def __str__(self): return 'a'
def go(x): raise Err
""",
        },
        changed=(("h.py", "'a'", "'b'"),),
    ),
    "slice assignment of list": Case(
        {
            "pipeline.py": """\
L=[1,2,3]
L[1:]=[5]
def train(x):
    return L
""",
        },
        changed=(("pipeline.py", "[5]", "[6]"),),
    ),
    "chained method config": Case(
        {
            "pipeline.py": """\
class B:
    def __init__(s): s.o=[]
    def add(s,k):
        s.o.append(k)
        return s
b=B().add(1).add(2)
def train(x):
    return b.o
""",
        },
        changed=(("pipeline.py", "add(1)", "add(3)"), ("pipeline.py", "s.o.append(k)", "s.o.append(-k)")),
    ),
    "nested walrus in if at module level": Case(
        {
            "pipeline.py": """\
import h
if (v:=h.get()) > 0:
    W=v
def train(x):
    return W
""",
            "h.py": """\
def get(): return 3
""",
        },
        changed=(("h.py", "3", "4"),),
    ),
    "while loop at module level": Case(
        {
            "pipeline.py": """\
n=0
while n<5:
    n+=1
def train(x):
    return n
""",
        },
        changed=(("pipeline.py", "n<5", "n<6"),),
    ),
    "try else finally": Case(
        {
            "pipeline.py": """\
A=[]
try:
    A.append(1)
finally:
    A.append(2)
def train(x):
    return A
""",
        },
        changed=(("pipeline.py", "append(1)", "append(3)"), ("pipeline.py", "append(2)", "append(4)")),
    ),
    "dataclass inheritance post init": Case(
        {
            "pipeline.py": """\
from h import D
def train(x):
    return D().z
""",
            "h.py": """\
from dataclasses import dataclass
from g import B
@dataclass
class D(B):
    y: int = 2
    def __post_init__(self):
        self.z=self.x+self.y
""",
            "g.py": """\
from dataclasses import dataclass
@dataclass
class B:
    x: int = 1
""",
        },
        changed=(("g.py", "= 1", "= 3"), ("h.py", "= 2", "= 5")),
    ),
    "operator overloading on constant": Case(
        {
            "pipeline.py": """\
from h import V
T=V(1)+V(2)
def train(x):
    return T.v
""",
            "h.py": """\
class V:
    def __init__(s,v): s.v=v
    def __add__(s,o): return V(s.v+o.v+K)
K=0
""",
        },
        changed=(("h.py", "K=0", "K=1"), ("pipeline.py", "V(1)", "V(5)")),
    ),
    "functools wraps on class and cached_property": Case(
        {
            "pipeline.py": """\
from h import A
def train(x):
    return A().p
""",
            "h.py": """\
import functools
class A:
    @functools.cached_property
    def p(self): return helper()
def helper(): return 1
""",
        },
        changed=(("h.py", "return 1", "return 2"),),
    ),
    "string annotations on inner functions do not matter": Case(
        {
            "pipeline.py": """\
def train(x):
    def f(y: 'int') -> 'str':
        return y
    return f(x)
""",
        },
        same=(("pipeline.py", "'int'", "'float'"),),
    ),
    "relative import of parent sibling in function": Case(
        {
            "pipeline.py": """\
from lab.sub.m import go
def train(x):
    return go(x)
""",
            "lab/__init__.py": "",
            "lab/sub/__init__.py": "",
            "lab/sub/m.py": """\
def go(x):
    from ..util import h
    return h(x)
""",
            "lab/util.py": """\
def h(x): return 1
""",
        },
        changed=(("lab/util.py", "1", "2"),),
    ),
    "type dispatch dict by class": Case(
        {
            "pipeline.py": """\
import h
def train(x):
    return h.T[type(x)](x)
""",
            "h.py": """\
def i(x): return 'i'
T={int: i, str: len}
""",
        },
        changed=(("h.py", "'i'", "'j'"),),
    ),
    "an object made by a factory and changed elsewhere": Case(
        {
            "pipeline.py": """\
from h import app
import plug
def train(x):
    return app.items
""",
            "h.py": """\
class App:
    def __init__(s): s.items=[]
    def on(s,f):
        s.items.append(f(1))
        return f
def make(): return App()
app=make()
""",
            "plug.py": """\
from h import app
@app.on
def f(x): return 4
""",
        },
        changed=(("plug.py", "4", "5"),),
    ),
}


def _patching(how: str, *, before: str = "import t\n") -> Case:
    """A module that the step's module loads, and that gives `t.f` other code in some way."""
    return Case(
        {
            "pipeline.py": "import patching\nfrom t import g\ndef train(x):\n    return g(x)\n",
            "patching.py": before + how,
            "t.py": "def f(x):\n    return x\ndef g(x):\n    return f(x)\n",
        },
        changed=(("patching.py", "2", "3"),),
    )


def _altering(how: str, *, use: str = "str(m.CFG)") -> Case:
    """A module that the step's module loads, and that changes `m.CFG` in some way."""
    return Case(
        {
            "pipeline.py": f"import altering\nimport m\ndef train(x):\n    return {use}\n",
            "altering.py": f"import m\n{how}",
            "m.py": "CFG = {'a': {'b': 1}}\ndef get():\n    return CFG\n",
        },
        changed=(("altering.py", "2", "3"),),
    )


CASES |= {
    f"patched {name}": _patching(how)
    for name, how in {
        "in a class body": "class M:\n    t.f = lambda x: 2\n",
        "by a decorator that is a lambda": "@lambda g: g()\ndef _():\n    t.f = lambda x: 2\n",
        "by a metaclass": "class Meta(type):\n    def __init__(c, *a):\n        t.f = lambda x: 2\n"
        "class U(metaclass=Meta): pass\n",
        "on entering": "class P:\n    def __enter__(self): t.f = lambda x: 2\n"
        "    def __exit__(self, *a): pass\nwith P(): pass\n",
        "in a comprehension": "def patch(m):\n    m.f = lambda x: 2\nX = [patch(t) for _ in range(1)]\n",
        "by a function without arguments": "def patch():\n    t.f = lambda x: 2\nX = patch()\n",
        "in a list": "mods = [t]\nmods[0].f = lambda x: 2\n",
        "by import_module": "import importlib\nm = importlib.import_module('t')\nm.f = lambda x: 2\n",
        "by __import__": "m = __import__('t')\nm.f = lambda x: 2\n",
        "by sys.modules": "import sys\nm = sys.modules['t']\nm.f = lambda x: 2\n",
        "in a match": "match t:\n    case m:\n        m.f = lambda x: 2\n",
        "by a walrus": "(m := t)\nm.f = lambda x: 2\n",
        "by a loop's target": "for t.f in [lambda x: 2]: pass\n",
        "by unpacking": "(t.f,) = (lambda x: 2,)\n",
        "by a partial": "import functools\nX = functools.partial(setattr, t, 'f')(lambda x: 2)\n",
        "by object": "X = object.__setattr__(t, 'f', lambda x: 2)\n",
        "by a lambda in map": "X = list(map(lambda m: setattr(m, 'f', lambda x: 2), [t]))\n",
        "in a handler": "try:\n    1/0\nexcept ArithmeticError:\n    t.f = lambda x: 2\n",
        "in vars": "vars(t)['f'] = lambda x: 2\n",
        "in vars of an alias": "space = vars(t)\nspace['f'] = lambda x: 2\n",
        "in a default": "def patch(m):\n    m.f = lambda x: 2\ndef unused(x=patch(t)): pass\n",
        "in a for": "for m in (t,):\n    m.f = lambda x: 2\n",
    }.items()
}
CASES |= {
    f"altered {name}": _altering(how)
    for name, how in {
        "through a getter": "m.get()['b'] = 2\n",
        "through a getter's result": "x = m.get()\nx['b'] = 2\n",
        "through an item": "x = m.CFG['a']\nx['b'] = 2\n",
        "through two names": "x = m.CFG['a']\ny = x\ny['b'] = 2\n",
        "through a loop": "for x in m.CFG.values(): x['b'] = 2\n",
        "in a comprehension": "y = [x.update(b=2) for x in m.CFG.values()]\n",
        "in a container": "hold = {'c': m.CFG}\nhold['c']['z'] = 2\n",
        "as a default": "def k(c=m.CFG): c['z'] = 2\nk()\n",
        "as a default, taken": "def k(c=m.CFG): c['z'] = 2\ny = k()\n",
        "in a called function": "def k():\n    m.CFG['z'] = 2\ny = k()\n",
        "by a lambda": "y = (lambda c: c.update(z=2))(m.CFG)\n",
        "by a bound method": "put = m.CFG.update\nput(z=2)\n",
        "by a bound method, taken": "put = m.CFG.update\ny = put(z=2)\n",
        "by a dunder": "y = m.CFG.__setitem__('z', 2)\n",
        "by a bound dunder": "from itertools import starmap\n"
        "y = list(starmap(m.CFG.__setitem__, [('z', 2)]))\n",
        "by operator": "import operator\ny = operator.setitem(m.CFG, 'z', 2)\n",
        "in one block": "if True:\n    x = m.CFG['a']\n    x['b'] = 2\n",
        "by del": "x = m.CFG['a']\nx['c'] = 1\ndel x['b']\nx['d'] = 2\n",
        "with an annotation": "x: dict = m.CFG['a']\nx['b'] = 2\n",
        "after a star": "from m import *\nx = CFG['a']\nx['b'] = 2\n",
        "by a method of a class that is called": "class K:\n    def __init__(self): m.CFG['z'] = 2\nk = K()\n",
        "in a called function, two deep": "def j(): m.CFG['z'] = 2\ndef k(): return j()\ny = [k()]\n",
        "in a try": "try:\n    x = m.get()\nfinally:\n    x['b'] = 2\n",
        "by an unpacking of values": "(x,) = m.CFG.values()\nx['b'] = 2\n",
        "with a class's body": "class K:\n    c = m.CFG\n    c['z'] = 2\n",
        "under with": "import contextlib\nwith contextlib.nullcontext(m.CFG) as c:\n    c['z'] = 2\n",
    }.items()
}
CASES |= {
    "altered an option of a library, by another name": Case(
        {
            "pipeline.py": "import o, decimal\ndef train(x):\n    text = str(decimal.Decimal(1) / 3)\n    decimal.getcontext().prec = 28\n    return text\n",
            "o.py": "import decimal\nc = decimal.getcontext()\nc.prec = 7\n",
        },
        changed=(("o.py", "7", "8"),),
    ),
    "altered a library in a list": Case(
        {
            "pipeline.py": "import o, colorsys\ndef train(x):\n    given, colorsys.ONE_THIRD = colorsys.ONE_THIRD, 1 / 3\n    return given\n",
            "o.py": "import colorsys\nT = [colorsys]\nT[0].ONE_THIRD = 7\n",
        },
        changed=(("o.py", "7", "8"),),
    ),
    "altered the variables of the process by another name": Case(
        {
            "pipeline.py": "import o, os\ndef train(x):\n    return os.environ['QW']\n",
            "o.py": "import os\ne = os.environ\ne['QW'] = '7'\n",
        },
        changed=(("o.py", "7", "8"),),
    ),
    "bases patched through a class": Case(
        {
            "pipeline.py": "import o\nfrom b import A\ndef train(x):\n    return A() + 1\n",
            "b.py": "class A:\n    def __add__(self, o): return 1\nclass B(A): pass\n",
            "o.py": "from b import B\nB.__mro__[1].__add__ = lambda self, o: 2\n",
        },
        changed=(("o.py", "2", "3"),),
    ),
    "subclass made by type": Case(
        {
            "pipeline.py": "import a\nfrom base import REG\ndef train(x):\n    return {k: c.v for k, c in REG.items()}\n",
            "base.py": "REG = {}\nclass B:\n    def __init_subclass__(cls, **k): REG[cls.__name__] = cls\n",
            "a.py": "from base import B\nY = type('Y', (B,), {'v': 4})\n",
        },
        changed=(("a.py", "4", "5"), ("a.py", "'Y'", "'Z'")),
    ),
    "subclass made in a function": Case(
        {
            "pipeline.py": "import a\nfrom base import B\ndef train(x):\n    return [c.v for c in B.__subclasses__()]\n",
            "base.py": "class B: pass\n",
            "a.py": "import base\ndef mk():\n    class Y(base.B): v = 3\n    return Y\nY = mk()\n",
        },
        changed=(("a.py", "3", "4"),),
    ),
    "subclass made by type in a function": Case(
        {
            "pipeline.py": "import a\nfrom base import REG\ndef train(x):\n    return {k: c.v for k, c in REG.items()}\n",
            "base.py": "REG = {}\nclass B:\n    def __init_subclass__(cls, **k): REG[cls.__name__] = cls\n",
            "a.py": "import base\ndef mk():\n    return type('Y', (base.B,), {'v': 4})\nY = mk()\n",
        },
        changed=(("a.py", "4", "5"),),
    ),
    "a block of the same module": Case(
        {
            "pipeline.py": "if True:\n    CFG = {'a': {}}\n    x = CFG['a']\n    x['b'] = 2\n    def put(): CFG['z'] = 5\n"
            "    y = put()\ndef train(x):\n    return str(CFG)\n",
        },
        changed=(("pipeline.py", "2", "3"), ("pipeline.py", "5", "6"), ("pipeline.py", "y = put()", "y = 1")),
    ),
    "order of an iterator": Case(
        {
            "pipeline.py": "import x\nimport y\nfrom m import COUNT\ndef train(n):\n    return x.ID\n",
            "m.py": "COUNT = iter(range(9))\n",
            "x.py": "from m import COUNT\nID = next(COUNT)\n",
            "y.py": "from m import COUNT\nID = next(COUNT)\n",
        },
        changed=(("pipeline.py", "import x\nimport y", "import y\nimport x"),),
    ),
    "order of two changes in one module": Case(
        {
            "pipeline.py": "import m\nx = m.CFG['a']\nx['b'] = 1\nm.CFG['a']['b'] = 2\ndef train(n):\n    return str(m.CFG)\n",
            "m.py": "CFG = {'a': {}}\n",
        },
        changed=(
            ("pipeline.py", "x['b'] = 1\nm.CFG['a']['b'] = 2", "m.CFG['a']['b'] = 2\nx['b'] = 1"),
        ),
    ),
    "order of imports that register": Case(
        {
            "pipeline.py": "from reg import REG\nimport x\nimport y\ndef train(n):\n    return REG\n",
            "reg.py": "REG = []\n",
            "x.py": "from reg import REG\nREG.append('x')\n",
            "y.py": "from reg import REG\nREG.append('y')\n",
        },
        changed=(("pipeline.py", "import x\nimport y", "import y\nimport x"),),
    ),
    "order of imports that register, deeper": Case(
        {
            "pipeline.py": "import plugins\nfrom reg import REG\ndef train(n):\n    return REG\n",
            "reg.py": "REG = []\n",
            "plugins/__init__.py": "from . import x, y\n",
            "plugins/x.py": "from reg import REG\nREG.append('x')\n",
            "plugins/y.py": "from reg import REG\nREG.append('y')\n",
        },
        changed=(("plugins/__init__.py", "x, y", "y, x"),),
    ),
    "order of a change and an import": Case(
        {
            "pipeline.py": "import m\nm.CFG['a'] = 1\nimport x\ndef train(n):\n    return m.CFG\n",
            "m.py": "CFG = {}\n",
            "x.py": "import m\nm.CFG['a'] = 2\n",
        },
        changed=(("pipeline.py", "m.CFG['a'] = 1\nimport x", "import x\nm.CFG['a'] = 1"),),
    ),
    "order of effects": Case(
        {
            "pipeline.py": "import x\nimport y\nimport os\ndef train(n):\n    return os.environ['QW']\n",
            "x.py": "import os\nos.environ['QW'] = 'x'\n",
            "y.py": "import os\nos.environ['QW'] = 'y'\n",
        },
        changed=(("pipeline.py", "import x\nimport y", "import y\nimport x"),),
    ),
    "order of imports without effects": Case(
        {
            "pipeline.py": "import x\nimport y\nfrom m import CFG\ndef train(n):\n    return x.f(n) + y.f(n) + len(CFG)\n",
            "m.py": "CFG = {}\n",
            "x.py": "import m\nm.CFG['a'] = 1\ndef f(n): return n\n",
            "y.py": "import os, json\nHERE = os.getcwd()\nLIMITS = {'a': 1}\ndef f(n): return n\n",
        },
        same=(("pipeline.py", "import x\nimport y", "import y\nimport x"), ("y.py", "'a': 1", "'a': 2")),
    ),
    "the usual top level does not count": Case(
        {
            "pipeline.py": "import usual\nfrom m import CFG\ndef train(n):\n    return n + len(CFG)\n",
            "m.py": "CFG = {'a': 1}\nclass Model:\n    def __init__(self, depth): self.depth = depth\n",
            "usual.py": "import argparse, json, logging, re\nfrom collections import defaultdict\n"
            "from dataclasses import dataclass, field\nfrom pathlib import Path\nimport m\n"
            "log = logging.getLogger('a')\nlog.propagate = True\nHERE = Path('1')\nWORD = re.compile('1')\n"
            "N = len(m.CFG) + 1\nROWS = sorted(m.CFG)[:1]\nTEXT = json.dumps({'z': 1})\nDEEP = m.Model(1)\n"
            "parser = argparse.ArgumentParser(description='1')\nparser.description = '1'\n"
            "by = defaultdict(list)\nby['1'].append(1)\nDEEP.depth = 1\n"
            "@dataclass\nclass Row:\n    a: int = 1\n    rows: list = field(default_factory=list)\n",
        },
        same=tuple(
            ("usual.py", old, old.replace("1", "2"))
            for old in (
                "Path('1')", "re.compile('1')", "len(m.CFG) + 1", "[:1]", "{'z': 1}", "m.Model(1)",
                "ArgumentParser(description='1')", "parser.description = '1'",
                "DEEP.depth = 1", "a: int = 1",
            )
        ),
    ),
}  # fmt: skip
