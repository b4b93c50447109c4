"""How long the language of a message takes, of words met before and of new ones."""

import pytest

from dialogs import language

MESSAGES = {
    "one word": "ma'alob",
    "Spanish": "en mi colonia no hay agua desde hace tres días",
    "Maya": "mina'an ja' tin kaajal ts'o'ok óoxp'éel k'iin",
    "long": "en mi colonia no hay agua desde hace tres días, " * 20,
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message(benchmark, name):
    assert benchmark(language.detect, MESSAGES[name]).language


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_of_new_words(benchmark, name):
    language.detect("hola")  # the weights are read

    def forget():
        language._weigh.cache_clear()

    found = benchmark.pedantic(
        language.detect, (MESSAGES[name],), setup=forget, rounds=200, warmup_rounds=5
    )
    assert found.language


def test_a_message_in_a_third_language(benchmark):
    assert (
        benchmark(language.detect, "I would like to know when the next meeting is").language is None
    )
