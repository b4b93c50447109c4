"""Forums: an invitation goes out, the reply is understood, and the seats are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.forum_world import ASKED, Forums
from tests.world import World


@pytest.fixture
def there(world: World, tmp_path: Path) -> Forums:
    return Forums(world, tmp_path)


def test_an_invitation_is_sent_and_yes_takes_a_seat(there: Forums) -> None:
    there.guest("eva")
    forum = there.forum()
    sent = there.invited(forum)
    assert there.world.told("eva") == [ASKED]
    assert there.status(sent) == {"intended": 1, "sent": 1}
    told = there.world.taps("eva", "Sí")
    assert told[0].startswith("¡Anotado! Guarda tu lugar en el calendario: https://")
    assert told[0].endswith("¿Vas con alguien más?\nEscribe cuántas personas, o 0.")
    assert there.world.says("eva", "2")[0].startswith("¿Necesitas algo para participar?")
    assert there.world.says("eva", "no") == ["Listo, gracias. Si algo cambia, escribe: no puedo."]
    assert there.attendance(forum) == {"yes": 1, "companions": 2}
