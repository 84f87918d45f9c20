"""What the tests of studies share."""

import pytest

from transduce.study.config import Setting


@pytest.fixture
def transfer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies say nothing of the protocols that they do not select, whose programs are the longest to compile."""
    monkeypatch.setattr(Setting, "lacking", lambda setting, name: None if name == setting.protocol else "is not asked for")
