"""A derivation: steps that sympy carries out, that quadrature confirms, and that print themselves."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import sympy as sp
from mpmath import mp

from theory.kernel.derivation import rendering
from theory.kernel.derivation.numeric import DIGITS, WORKING_DIGITS, Number, Pair


@dataclass(frozen=True)
class Step:
    """One step of a derivation.

    Attributes
    ----------
    name : str
        What to call it; unique within a derivation.
    prose : str
        What is established, in words, with formulas between backticks.
    expression : sympy.Basic
        What is established, as an equation or an interval.
    check : callable
        Carries the step out with sympy on the expression it is given; True if that follows.
    samples : callable
        Yields, for the expression it is given, pairs at sample points: the value of the expression, and the
        value that quadrature of the definition gives (`numeric`).
    """

    name: str
    prose: str
    expression: sp.Basic
    check: Callable[[sp.Basic], bool]
    samples: Callable[[sp.Basic], Iterable[Pair]]

    @property
    def statement(self) -> str:
        """What is established, in plain words."""
        return self.prose.replace("`", "")

    def holds(self) -> bool:
        """Carry out the check on the stated expression."""
        return bool(self.check(self.expression))

    def discrepancy(self) -> Number:
        """Return the largest difference |stated − measured| / max(1, |measured|); NaN if one is NaN."""
        with mp.workdps(WORKING_DIGITS):
            differences = list(self._differences())
            return mp.nan if any(map(mp.isnan, differences)) else max(differences)

    def confirm(self) -> bool:
        """Return whether stated and measured values agree to 50 digits at every sample point."""
        with mp.workdps(WORKING_DIGITS):
            # The first point that does not agree decides.
            return all(one < mp.mpf(10) ** -DIGITS for one in self._differences())

    def _differences(self) -> Iterator[Number]:
        for stated, measured in self.samples(self.expression):
            yield abs(stated - measured) / max(1, abs(measured))


@dataclass(frozen=True, repr=False)
class Derivation:
    """The steps of one route and the closed form that the last one reaches."""

    route: str
    steps: tuple[Step, ...]

    @property
    def result(self) -> sp.Expr:
        """Right-hand side of the last step: for a route to Φ, Φ as a function of `expressions.rho`."""
        return self.steps[-1].expression.rhs

    def step(self, name: str) -> Step:
        """Return the step of that name.

        Raises
        ------
        ValueError
            If there is none.
        """
        for step in self.steps:
            if step.name == name:
                return step
        msg = f"name must be one of {', '.join(step.name for step in self.steps)}, got {name!r}"
        raise ValueError(msg)

    def verify(self) -> None:
        """Carry out every step, and confirm it to 50 digits.

        Raises
        ------
        ArithmeticError
            If a step does not hold or is not confirmed, naming it.
        """
        for number, step in enumerate(self.steps, start=1):
            for verdict, failure in ((step.holds, "does not hold"), (step.confirm, "is not confirmed")):
                if not verdict():
                    msg = f"step {number} of route {self.route!r} {failure}: {step.statement}"
                    raise ArithmeticError(msg)

    def to_text(self) -> str:
        """Return the numbered steps as plain text, formulas drawn in Unicode."""
        return rendering.text((step.statement, step.expression) for step in self.steps)

    def to_latex(self) -> str:
        """Return the numbered steps as a LaTeX fragment in ASCII, an ``enumerate``; it needs amsmath."""
        return rendering.latex((step.prose, step.expression) for step in self.steps)

    def to_mathml(self) -> str:
        """Return the numbered steps as an HTML list with presentation MathML, also well-formed XML."""
        return rendering.mathml((step.statement, step.expression) for step in self.steps)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"Derivation({self.route!r}, {len(self.steps)} steps, result {self.result})"

    def _repr_html_(self) -> str:
        """Show the derivation in a notebook."""
        return self.to_mathml()

    def _repr_latex_(self) -> str:
        """Show the derivation where LaTeX is shown."""
        return self.to_latex()
