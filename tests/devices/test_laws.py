"""Every law of ``laws.py`` on every device of ``cases.py``."""

import pytest

from tests.devices.cases import CASES
from tests.devices.laws import LAWS, case


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law, name):
    law(case(name))
