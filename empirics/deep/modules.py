"""Any torch module with one output: trained, and linearised at its initial weights.

f_lin(z; T) = f(z; 0) + T J(z) v, J the derivative in the parameters and v = Λ (1/N) Σ_n y_n ∇f(x_n), Λ the
learning rates of the parameters: one product with the transposed derivative, one with the derivative, and no
kernel matrix.  Derivation 17.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import functional_call, jvp
from torch.nn.parameter import is_lazy

from empirics.descent import SLOPES
from empirics.model import as_array, as_tensor, threads_for
from theory.setting import LOSSES, Loss, learning_rate_for
from theory.validation import as_labels, as_points, check_choice, check_real

_ROWS = 2048  # of inputs in one pass over a module
_POWER_STEPS, _STILL = 30, 1e-4  # of the power iteration: at most, and until it changes by less


@dataclass(frozen=True, eq=False)
class Linearised:
    """A module linearised at its weights, and the direction in which training on a data set moves them.

    Attributes
    ----------
    module : torch.nn.Module
        At its initial weights θ₀.
    direction : dict of tensors
        v by the name of the parameter.
    """

    module: nn.Module
    direction: dict[str, Tensor]

    def velocity(self, Z: ArrayLike | Tensor) -> Tensor:
        """Return J(z) v, the velocity of f_lin(z; ·), shape (Q,), float64."""
        Z = _points("Z", Z, self.module)
        with torch.no_grad(), _threads(self.module, Z):
            return _by_rows(lambda points: _along(self.module, self.direction, points), Z)

    def outputs(self, Z: ArrayLike | Tensor, T: float) -> Tensor:
        """Return f_lin(z; T) = f(z; 0) + T J(z) v, shape (Q,), float64."""
        return outputs(self.module, Z) + T * self.velocity(Z)

    def moved(self, T: float) -> nn.Module:
        """Return the module at θ₀ + T v, a copy: one step of descent of flow time T on the identity loss."""
        return _with_parameters(
            self.module, {name: p + T * self.direction[name] for name, p in _parameters(self.module).items()}
        )

    def input_gradients(self, Z: ArrayLike | Tensor, T: float) -> Tensor:
        """Return ∇_z f(z; θ₀ + T v), shape (Q, d), float64, which predicts the direction of perturbations.

        Not ∇_z f_lin: of a piecewise linear activation J(z) v has jumps at the kinks, which a derivative does
        not see and which do not vanish with width.
        """
        return input_gradients(self.moved(T), Z)


def linearise(
    module: nn.Module,
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    *,
    rates: Mapping[str, float] | None = None,
    T: float | None = None,
    num_steps: int | None = None,
    momentum: float = 0.0,
    loss: Loss = "identity",
) -> Linearised:
    """Return a module linearised at its weights, for training on (X, y).

    Parameters
    ----------
    module : torch.nn.Module
        Takes inputs of shape (n, d) to outputs of shape (n,) or (n, 1), each from its own input alone.
    X : array, shape (N, d)
        Of numpy, torch or what else numpy reads; rounded to the dtype of the parameters.
    y : array, shape (N,)
        Labels, −1 or +1.
    rates : mapping, optional
        Learning rate of each parameter by name, as a multiple of η; by default 1 for each one that requires
        a gradient.
    T, num_steps, momentum, loss
        As for `train_module`.  With the identity loss v is the same whatever they are; with another one it
        is the mean over this training of the linearised module, and f_lin is for this T alone.

    Returns
    -------
    Linearised

    Raises
    ------
    ValueError
        If the module is none that this theory is about, see `check_module`, or an argument is out of range.
    FloatingPointError
        As for `train_module`.

    Notes
    -----
    Source: Derivation 17.  Descent of the linearised module is exact: f_lin(X; ·) is followed by one product
    with the derivative and one with its transpose a step.

    Examples
    --------
    >>> import torch
    >>> from empirics import linearise
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 512), torch.nn.GELU(), torch.nn.Linear(512, 1))
    >>> X, y = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([1.0, -1.0])
    >>> (linearise(net, X, y).velocity(X) * y > 0).tolist()  # training moves outputs towards the labels
    [True, True]
    >>> linearise(net, X, y, T=1.0, num_steps=1000, loss="squared").outputs(X, T=1.0).round().tolist()
    [1.0, -1.0]
    """
    points, labels = checked_problem(module, X, y)
    check_choice("loss", loss, LOSSES)
    scales = _rates(module, rates)
    module = copy.deepcopy(module)  # training that one goes on with would move it
    with torch.enable_grad(), _threads(module, points):
        if loss == "identity":
            return Linearised(module, _direction(module, points, labels / len(labels), scales))
        if T is None or num_steps is None:
            msg = f"T and num_steps must be given with loss {loss!r}, whose pull changes during training"
            raise ValueError(msg)
        check_real("T", T, minimum=0, exclusive=True)
        step = _learning_rate(module, points, scales, T, num_steps, momentum, loss)
        start = outputs(module, points)
        moved = Linearised(module, {name: torch.zeros_like(p) for name, p in module.named_parameters()})
        speed = moved.direction
        for _ in range(num_steps):
            weights = _pulls(loss, labels, start + moved.velocity(points))
            pull = _direction(module, points, weights, scales)
            speed = {name: momentum * speed[name] + pull[name] for name in pull}
            moved = Linearised(module, {name: p + step * speed[name] for name, p in moved.direction.items()})
    if not all(bool(torch.isfinite(p).all()) for p in moved.direction.values()):
        msg = f"training of the linearised module diverged in {num_steps} steps of {step:g}"
        raise FloatingPointError(msg)
    return Linearised(module, {name: p / T for name, p in moved.direction.items()})


def train_module(
    module: nn.Module,
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    *,
    T: float,
    num_steps: int,
    momentum: float = 0.0,
    loss: Loss = "identity",
    rates: Mapping[str, float] | None = None,
) -> nn.Module:
    """Return a copy of the module after full-batch gradient descent of total flow time T.

    Parameters
    ----------
    module, X, y, rates
        As for `linearise`.
    T, num_steps, momentum, loss
        As for `empirics.train`.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If the module is none that this theory is about, or an argument is out of range.
    FloatingPointError
        If a step is longer than 2/λ_max, with which the squared loss diverges, or parameters are no longer
        finite.

    Examples
    --------
    >>> import torch
    >>> from empirics import train_module
    >>> net = torch.nn.Linear(2, 1)
    >>> X, y = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([1.0, -1.0])
    >>> trained = train_module(net, X, y, T=2.0, num_steps=4)
    >>> bool(torch.allclose(trained.weight - net.weight, torch.tensor([[1.0, -2.0]])))
    True
    """
    points, labels = checked_problem(module, X, y)
    check_choice("loss", loss, LOSSES)
    scales = _rates(module, rates)
    step = _learning_rate(module, points, scales, T, num_steps, momentum, loss)
    trained = copy.deepcopy(module)
    moving = {name: p for name, p in trained.named_parameters() if scales[name]}
    velocity = {name: torch.zeros_like(p) for name, p in moving.items()}
    with torch.enable_grad(), _threads(module, points):
        for _ in range(num_steps):
            weights = labels / len(labels)
            if loss != "identity":
                weights = _pulls(loss, labels, outputs(trained, points))
            pull = _direction(trained, points, weights, scales)
            with torch.no_grad():
                for name, p in moving.items():
                    velocity[name].mul_(momentum).add_(pull[name])
                    p.add_(velocity[name], alpha=step)
    if not all(bool(torch.isfinite(p).all()) for p in trained.parameters()):
        msg = f"training diverged: parameters not finite after {num_steps} steps of {step:g}"
        raise FloatingPointError(msg)
    return trained


def largest_eigenvalue(
    module: nn.Module, X: ArrayLike | Tensor, *, rates: Mapping[str, float] | None = None
) -> float:
    """Return λ_max of Θ(X, X)/N at the weights of the module, Θ = J Λ Jᵀ, by power iteration from below.

    Parameters
    ----------
    module, X, rates
        As for `linearise`.

    Returns
    -------
    float
        At most λ_max, after 30 products or when one changes it by a share of 1e-4 or less.

    Examples
    --------
    >>> import torch
    >>> from empirics import largest_eigenvalue
    >>> round(largest_eigenvalue(torch.nn.Linear(2, 1), torch.tensor([[1.0, 0.0], [0.0, 2.0]])), 3)
    2.651
    """
    scales, X = _rates(module, rates), _points("X", X, module)
    # Not of ones, which are orthogonal to the first eigenvector of points ±x.
    start = torch.randn(len(X), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    vector = start.to(X)
    largest = 0.0
    for _ in range(_POWER_STEPS):
        vector = vector / vector.norm()
        image = Linearised(module, _direction(module, X, vector, scales)).velocity(X).to(X) / len(X)
        before, largest = largest, float(vector @ image)
        if largest - before <= _STILL * largest:
            break
        vector = image
    return largest


def outputs(module: nn.Module, Z: ArrayLike | Tensor) -> Tensor:
    """Return f(z) of each row, shape (Q,), float64, without a graph."""
    Z = _points("Z", Z, module)
    with torch.no_grad(), _threads(module, Z):
        return _by_rows(lambda points: _scalar(module(points), points), Z)


def input_gradients(module: nn.Module, Z: ArrayLike | Tensor) -> Tensor:
    """Return ∇f(z) of each row, shape (Q, d), float64."""
    Z = _points("Z", Z, module)

    def gradients(points: Tensor) -> Tensor:
        points = points.detach().requires_grad_()
        return torch.autograd.grad(_scalar(module(points), points).sum(), points)[0]

    with torch.enable_grad(), _threads(module, Z):
        return _by_rows(gradients, Z)


def check_module(module: nn.Module, X: Tensor) -> None:
    """Refuse a module that is not a differentiable function of one input at a time, with one output.

    Raises
    ------
    ValueError, TypeError
        If X is no tensor of finite points; if the outputs are not one finite number a row; if they change
        from call to call, as with dropout, with the rest of the batch, as with batch normalisation in
        training mode, or in evaluation mode; if calls change buffers; if they do not depend on the input, or
        on any parameter, differentiably; or if torch cannot copy the module, call it, or take a derivative.
    """
    kind = type(module).__name__
    copied = f"{kind} must be a module that can be copied, with its weights as parameters"
    few = X[: min(len(X), 8)].detach().clone().requires_grad_()
    with _explained(copied):
        twin = copy.deepcopy(module)  # batch normalisation keeps running means
    buffers = [value.clone() for value in twin.buffers()]

    def called(module: nn.Module, points: Tensor) -> Tensor:
        with torch.enable_grad():
            with _explained(f"{kind} must take rows of {X.shape[1]} numbers, differentiably"):
                values = module(points)
            return _scalar(values, points)

    with _threads(twin, few):
        values, again = called(twin, few), called(twin, few)
        # Each row with itself alone: batch normalisation refuses a single one.
        alone = torch.stack([called(twin, row.expand(2, -1))[0] for row in few])
        changed = any(not torch.equal(old, new) for old, new in zip(buffers, twin.buffers(), strict=True))
        with _explained(copied):
            settled = called(copy.deepcopy(twin).eval(), few)  # weights computed by hooks are copied no more
    if not bool(torch.isfinite(values).all()):
        msg = f"the outputs of {kind} must be finite, got {values.tolist()}"
        raise ValueError(msg)
    close = float(values.detach().abs().max()) * torch.finfo(X.dtype).eps ** 0.5
    for other, why in (
        (again, "the same from call to call (is dropout on? call module.eval())"),
        (alone, "a function of one row (is batch normalisation in training mode? call module.eval())"),
        (settled, "the same in evaluation mode (call module.eval(), if that is the one that is meant)"),
    ):
        if not bool(torch.allclose(values, other, rtol=0, atol=close)):
            msg = f"the output of {kind} must be {why}, got other values"
            raise ValueError(msg)
    if changed:
        msg = (
            f"the buffers of {kind} must stay when it is called (is spectral normalisation in training mode? "
            "call module.eval()), got other values"
        )
        raise ValueError(msg)
    wanted = [few, *(p for p in twin.parameters() if p.requires_grad)]
    with torch.enable_grad(), _explained(f"{kind} must be differentiable"):
        total = values.sum()
        found = torch.autograd.grad(total, wanted, allow_unused=True) if values.requires_grad else [None]
    if found[0] is None or all(gradient is None for gradient in found[1:]):
        what = "its input" if found[0] is None else "any parameter"
        msg = f"the output of {kind} must be differentiable in {what}, got no derivative"
        raise ValueError(msg)
    with torch.no_grad(), _explained(f"{kind} must have derivatives forward as well as backward"):
        _along(twin, _parameters(twin), few.detach())


@contextmanager
def _explained(rule: str) -> Iterator[None]:
    """Turn what torch or the code of a module raises into one error that names a rule."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        said = next(iter(str(error).splitlines()), "")
        msg = f"{rule}, got {type(error).__name__}: {said}"
        raise ValueError(msg) from error


def checked_problem(module: nn.Module, X: ArrayLike | Tensor, y: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
    """Return samples and labels in the dtype of a module, which is checked on them."""
    points = _points("X", X, module)
    labels = as_labels("y", as_array("y", y), length=len(points))
    check_module(module, points)
    return points, as_tensor(labels, dtype=points.dtype, device=points.device)


def _points(name: str, values: ArrayLike | Tensor, module: nn.Module) -> Tensor:
    """Return points of any library in the dtype of the parameters of a module, and on their device."""
    if any(map(is_lazy, module.parameters())):
        msg = "the parameters of a module must have their shapes, got a lazy one: call it once on a point"
        raise ValueError(msg)
    kinds = {(p.dtype, p.device) for p in module.parameters()}
    dtypes = ", ".join(sorted(str(dtype) for dtype, _ in kinds)) or "none"
    if len(kinds) != 1 or not dtypes.endswith(("float32", "float64")):
        msg = f"the parameters of a module must be all float32 or all float64 on one device, got {dtypes}"
        raise ValueError(msg)
    ((dtype, device),) = kinds
    fits = isinstance(values, Tensor) and values.ndim == 2 and 0 not in values.shape
    if isinstance(values, Tensor) and fits and (values.dtype, values.device) == (dtype, device):
        tensor = values
    else:
        tensor = as_tensor(as_points(name, as_array(name, values)), dtype=dtype, device=device)
    if not bool(torch.isfinite(tensor).all()):
        msg = f"{name} must be finite in the dtype of the module, {dtype}"
        raise ValueError(msg)
    return tensor


def _scalar(values: Any, points: Tensor) -> Tensor:  # noqa: ANN401
    """Return outputs of shape (n,) or (n, 1) as (n,)."""
    shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
    if shape not in ((len(points),), (len(points), 1)):
        msg = f"a module must return one number a row, shape ({len(points)},), got {shape}"
        raise ValueError(msg)
    flat: Tensor = values.reshape(len(points))
    return flat


def _direction(
    module: nn.Module, X: Tensor, weights: Tensor, scales: Mapping[str, float]
) -> dict[str, Tensor]:
    """Return Λ Σ_n weights_n ∇f(x_n), by blocks of rows."""
    moving = {name: p for name, p in module.named_parameters() if scales[name]}
    total = {name: torch.zeros_like(p) for name, p in module.named_parameters()}
    for rows in _rows(X):
        value = (_scalar(module(X[rows]), X[rows]) * weights[rows]).sum()
        gradients = torch.autograd.grad(value, list(moving.values()), allow_unused=True)
        for name, gradient in zip(moving, gradients, strict=True):
            if gradient is not None:
                total[name] += scales[name] * gradient
    return total


def _along(module: nn.Module, direction: Mapping[str, Tensor], points: Tensor) -> Tensor:
    """Return J(z) v of each row for a direction v of the parameters."""

    def outputs(values: dict[str, Tensor]) -> Tensor:
        return _scalar(functional_call(module, values, (points,)), points)

    with warnings.catch_warnings():
        # torch compiles its own rules for forward derivatives by what it calls deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        change: Tensor = jvp(outputs, (_parameters(module),), (dict(direction),))[1]
    return change


def _pulls(loss: Loss, labels: Tensor, values: Tensor) -> Tensor:
    """Return y_n ℓ'(−y_n f(x_n))/N, what sample n weighs, from outputs in float64."""
    return labels * SLOPES[loss](-labels * values).to(labels) / len(labels)


def _learning_rate(
    module: nn.Module,
    X: Tensor,
    scales: Mapping[str, float],
    T: float,
    num_steps: int,
    momentum: float,
    loss: Loss,
) -> float:
    """Return η, refused where descent of the squared loss diverges with it."""
    step = learning_rate_for(T, num_steps, momentum=momentum)
    most = 2 * (1 + momentum)
    if loss == "squared" and step * (largest := largest_eigenvalue(module, X, rates=scales)) > most:
        msg = (
            f"training would diverge: steps of {step:.3g} exceed 2(1 + momentum)/λ_max = "
            f"{most / largest:.3g}; take more of them"
        )
        raise FloatingPointError(msg)
    return step


def _rates(module: nn.Module, rates: Mapping[str, float] | None) -> dict[str, float]:
    """Return the rate of every parameter, checked."""
    names = dict(module.named_parameters())
    if rates is None:
        return {name: float(p.requires_grad) for name, p in names.items()}
    if set(rates) - set(names):
        msg = f"rates must name parameters, {', '.join(names)}, got {', '.join(set(rates) - set(names))}"
        raise ValueError(msg)
    checked = {name: check_real(f"rates[{name!r}]", rates.get(name, 0.0), minimum=0) for name in names}
    frozen = [name for name, p in names.items() if checked[name] and not p.requires_grad]
    if frozen or not any(checked.values()):
        why = f"be 0 where no gradient is required, as of {frozen[0]}" if frozen else "not all be 0"
        msg = f"rates must {why}"
        raise ValueError(msg)
    return checked


def _parameters(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in module.named_parameters()}


def _with_parameters(module: nn.Module, values: Mapping[str, Tensor]) -> nn.Module:
    twin = copy.deepcopy(module)
    with torch.no_grad():
        for name, p in twin.named_parameters():
            p.copy_(values[name])
    return twin


def _threads(module: nn.Module, X: Tensor) -> AbstractContextManager[None]:
    return threads_for(work=len(X) * sum(p.numel() for p in module.parameters()))


def _rows(X: Tensor) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, len(X), _ROWS))


def _by_rows(function: Callable[[Tensor], Tensor], Z: Tensor) -> Tensor:
    return torch.cat([function(Z[rows]).detach().double() for rows in _rows(Z)])
