"""What a sweep runs: frozen configs of one kind, and a function from configs to outcomes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from empirics.sweep.outcome import Outcome
from empirics.sweep.plain import digest, plain_numbers

Config = TypeVar("Config")
ContentOf = Callable[[Config, dict[Any, str]], str | None]
_Given_contra = TypeVar("_Given_contra", contravariant=True)


class RunFamily(Protocol[_Given_contra]):
    """What one task computes: an outcome for each configuration, the same whichever others it comes with."""

    def __call__(self, configs: Sequence[_Given_contra], *, device: str) -> Iterable[tuple[int, Outcome]]:
        """Yield the place of each configuration with its outcome, as soon as that is known."""


@dataclass(frozen=True, kw_only=True)
class Experiment(Generic[Config]):
    """A kind of experiment.  In other processes, `run` and `content` must be picklable."""

    name: str  # of the kind: results of two kinds do not share a folder
    version: int | str  # another one when a record means something else: older results are then done again
    make: Callable[[Mapping[str, Any]], Config]  # of fields under the names that axes use
    to_json: Callable[[Config], Mapping[str, Any]]  # all fields, at most one mapping deep
    run: RunFamily[Config]
    key: Callable[[Config], str]  # configurations with the same key share work: they are one task
    work: Callable[[Config], float]  # about how much, for the order of tasks alone
    # Digest of the data that a configuration reads, None if its fields say all; takes and adds to what is
    # known of other configurations.
    content: ContentOf[Config]
    # Whether all results are parts of one: there is no table of them, one that fails ends the run, and
    # another plan takes the place of the folder's, whose results stay as far as they are of the new plan.
    joint: bool = False
    # What a folder keeps beside its plan, by name, so that another process can read it, and how it is read:
    # what that returns is held while the plan is carried out.
    keep: Callable[[Config], Mapping[str, bytes]] = lambda _: {}
    restore: Callable[[Path], object] = lambda _: None
    command: str = ""  # carries out the plan of a folder

    def fields(self, config: Config) -> dict[str, Any]:
        """Return the fields under the names that axes use: "data.dim" for one of `data`."""
        named: dict[str, Any] = {}
        for name, value in self.to_json(config).items():
            nested = isinstance(value, Mapping)
            named |= {f"{name}.{key}": item for key, item in value.items()} if nested else {name: value}
        return named

    def identity(self, config: Config, known: dict[Any, str] | None = None) -> dict[str, Any]:
        """Return what a result is about: the fields, the content of data that are read, and the version.

        Parameters
        ----------
        config : Config
        known : dict, optional
            Digests of data that were read before; added to.

        Returns
        -------
        dict
            Plain JSON values.

        Raises
        ------
        OSError
            If data cannot be read.
        """
        return {
            "config": plain_numbers(self.to_json(config)),
            "content": self.content(config, {} if known is None else known),
            "record_version": self.version,
        }

    def hash(self, config: Config, known: dict[Any, str] | None = None) -> str:
        """Return the SHA-256 of the identity of a configuration, in hexadecimal.

        Equal fields give equal hashes, in whatever order and number type: 1, 1.0 and numpy's 1.
        """
        return digest(self.identity(config, known))
