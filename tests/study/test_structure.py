"""Kept programs serve every file of the same structure: what they compute must hang on nothing else."""

import dataclasses
import re

import equinox as eqx
import jax
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr, Literal

from transduce.programs import split
from transduce.study import aims, config
from transduce.study.optimise import objective
from transduce.study.protocols import NAMES, numbers
from transduce.study.source import BUNDLED, read
from transduce.study.structure import structure

TEXT = BUNDLED.read_text(encoding="utf-8")
MORE = '\n[connection]\nfrequency_shift = "0 Hz"\n\n[refrigerator]\ncooling_power = "20 uW"\n'


def loaded(text, tmp_path):
    file = tmp_path / "link.toml"
    file.write_text(text, encoding="utf-8")
    setting = config.load(read(file))
    return setting, aims.load(setting)


def moved(text):
    """Every number a hundredth larger, but those of the optimiser; other comments, another seed."""
    head, rest = text.split("[optimiser]")
    search, tail = rest.split("# Above all", 1)

    def more(part):
        bare = "\n".join(line.split(" #")[0] for line in part.splitlines())
        return re.sub(r"(?<![\w.-])\d+(\.\d+)?(?=[ \"\],}\n]|$)", lambda found: f"{1.01 * float(found[0]):.9g}", bare)

    return more(head) + "[optimiser]" + search.replace("seed = 0", "seed = 7\nchunk = 20") + more("# Above all" + tail)


def values(setting):
    return np.array([value for _, value in config.scalars(setting.parts).values()])


def computed(setting, wanted):
    """Everything that is told of a study forwards, traced: its operations and its constants."""
    arrays, rest = split(setting.parts)
    others = [name for name in NAMES if setting.lacking(name) is None]

    def at(arrays):
        parts = eqx.combine(arrays, rest)
        return objective(setting, wanted, 512)(parts), numbers({name: setting.performance(name, parts) for name in others})

    return list(said(jax.make_jaxpr(at)(arrays)))


def said(traced):
    """Operations, literals and constants, in order."""
    yield from (np.asarray(constant).tobytes() for constant in traced.consts)
    for equation in traced.jaxpr.eqns:
        yield equation.primitive.name
        yield from (np.asarray(value.val).tobytes() for value in equation.invars if isinstance(value, Literal))
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple) else (value,):
                if isinstance(inner, ClosedJaxpr):
                    yield from said(inner)
                elif isinstance(inner, int | float | str):
                    yield inner


def test_other_numbers_are_the_same_structure_and_the_same_program(tmp_path):
    (base, first), (other, second) = (loaded(text, tmp_path) for text in (TEXT, moved(TEXT)))
    assert np.sum(values(base) != values(other)) == 12 and first.bounds != second.bounds and first.free != second.free
    other = dataclasses.replace(other, parts=jax.tree.map(lambda value: 0.999 * value, other.parts))  # what the classes say too
    assert np.sum(values(base) != values(other)) >= 40
    assert structure(base, first) == structure(other, second)
    assert computed(base, first) == computed(other, second)


OTHERS = {
    "frequency shift": ('frequency_shift = "0 Hz"', 'frequency_shift = "1 kHz"'),
    "cooling power": ("20 uW", "30 uW"),
    "encoding": ('"time-bin"', '"dual-rail"'),
    "photon": ("sech", "gaussian"),
    "fibre before switch": ('kind = "switch"\ninsertion_loss = "0.5 dB"', 'kind = "loss"\nloss = "0.5 dB"'),
    "a field that the class leaves out": ('length = "1 km"', 'length = "1 km"\n[[path]]\nname = "tap"\nkind = "loss"\nloss = "1 dB"'),
    "pump by photons": ('pump_power = "100 mW"', "pump_photons = 1e10"),
    "detector": ("{ efficiency = 0.9 }", '{ efficiency = 0.9, kind = "number_resolving" }'),
    "gate": ('filter_bandwidth = "2 MHz"', 'filter_bandwidth = "2 MHz"\ngate = "9 us"\ngate_cuts = true'),
    "objective": ("average_fidelity_heralded", "average_fidelity"),
    "side of a target": ("{ min = 0.4 }", "{ max = 0.4 }"),
    "free": ('"device.lab.mode_match" =', '"device.lab.temperature" = ["1 mK", "2 K"]\n#'),
    "learning rate": ("learning_rate = 0.1", "learning_rate = 0.2"),
    "steps": ("steps = 500", "steps = 400"),
    "starts": ("starts = 32", "starts = 16"),
    "protocol": ("[transfer]", 'protocol = "one-click"\n[transfer]'),
    "excitation of b": ("excitation = 0.05", "excitation = 0.05\nexcitation_b = 0.06"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_structure_has_programs_of_its_own(case, tmp_path):
    before, after = OTHERS[case]
    text = TEXT + MORE
    assert before in text
    changed = text.replace(before, after, 1)
    if case in ("protocol", "pump by photons"):  # whose targets, or free pump power, would be wrong
        text, changed = (re.sub(r"(?s)\[objective\].*(?=\[optimiser\])", "", each) for each in (text, changed))
    one, two = (structure(*loaded(each, tmp_path)) for each in (text, changed))
    assert one != two


def test_what_a_structure_says_is_no_address(tmp_path):
    """It is a key in the next process too."""
    said = structure(*loaded(TEXT, tmp_path))
    assert not re.search(r"0x[0-9a-f]{6}", said)
