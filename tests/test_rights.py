"""People's rights in the chat: what is known, correct, stop, take a permission back, be forgotten."""

from __future__ import annotations

import pytest

from dialogs import stopping

STOPS = """
baja|BAJA.|stop|STOP!!!|stoooop|s.t.o.p.|alto|Alto por favor|salir|cancelar por favor|🛑
ya no quiero mensajes|por favor dejen de escribirme ya|stop please|quítenme de la lista
quitenme de su lista por favor|ya no kiero mensages|ya no me escriban|no me escrivan mas
no quiero que me manden mensajes|no quiero recivir mas msj|dejen de mandarme mensajes
dejen de molestar|deja de molestarme por favor|ya no me manden nada|no me manden mas mensajes
quiero darme de baja|denme de baja|dame d baja|me doy de baja|quiero la baja|kiero darme de vaja
unsubscribe|unsubscribe me please|please stop texting me|stop sending me messages
don't text me anymore|do not contact me again|remove me from your list|take me off this list
leave me alone|no more messages please|i want to unsubscribe|opt out|STOP ya
wa'atal|WA’ATAL|xuul bawa|wa'alen|hola, ya no quiero recibir mensajes gracias
estoy harto de sus mensajes, dejen de escribirme|sáquenme del grupo|bórrenme de su lista
déjenme en paz|ya déjenme en paz por favor|no molesten|no me interesa recibir mensajes
no quiero saber nada de ustedes|basta de mensajes|no vuelvan a escribirme
dar de baja mi número|quiero que me den de baja|quiero que me quiten de la lista
ya no deseo recibir notificaciones|que ya no me escriban|ya párenle con los mensajes
no quiero que me escriban|dejen de estar mandando mensajes|¡¡Ya NO me escriban!!
"""
ANSWERS = """
el alto costo del agua|no quiero que quiten el mercado|stop a la violencia|alto a la violencia
Alto índice de pobreza|la baja presión del agua|que bajen los precios|baja la luz a cada rato
no mandan ambulancia|no me mandan los recibos|me dieron de baja del seguro
no me dejan en paz los borrachos|que dejen de mandar basura al cenote|dejen de talar
dejen de mandarme a otra clínica|no quiero basura|no quiero|no|ya no hay agua
no me escriban en maya|no me escriban tan temprano|ya basta de corrupción|basta de corrupción
no quiero más promesas|ya no más granjas de cerdos|que quiten el bar|quítenme la luz|no hay
paren la obra|parar el tren|mi hijo dejó de escribirme|no me llegan los mensajes del gobierno
quiero más avisos|quiero salir adelante|salir de la pobreza|la salida de la carretera
no quiero que me quiten mi tierra|no nos escuchan|nos quitan el agua|end of the road
stop violence against women|we want to stop the pig farms|xuul le ja'o'|no quiero saltar
el gobierno debe dejar de molestar a los campesinos|quiero ir a los foros|no quiero ir al foro
no conozco los foros|falta información|más seguridad|no quiero más basura aquí|no puedo ir
el señor me molesta|borrar mis datos|no me interesa|no, gracias|no sé|ya no me acuerdo
"""
NO_FORUMS = """
no más invitaciones|ya no me inviten|no quiero invitaciones|dejen de invitarme a foros
no quiero más invitaciones a foros por favor|sin invitaciones|no me inviten a foros
no more invitations|ya no quiero recibir invitaciones|NO MAS INVITASIONES
"""


def said(table: str) -> list[str]:
    return [text for line in table.split("\n") for text in line.split("|") if text]


@pytest.mark.parametrize("text", said(STOPS))
def test_who_wants_no_more_messages_is_understood(text: str) -> None:
    assert stopping.asked(text) == "stop"


@pytest.mark.parametrize("text", said(ANSWERS))
def test_an_answer_is_not_taken_for_a_stop(text: str) -> None:
    assert stopping.asked(text) is None


@pytest.mark.parametrize("text", said(NO_FORUMS))
def test_who_wants_no_invitations_keeps_the_rest(text: str) -> None:
    assert stopping.asked(text) == "no_forums"
