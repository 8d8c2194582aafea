"""Invents people, the same ones for the same seed. All of them live at example.com."""

from __future__ import annotations

import random
import unicodedata
from typing import NamedTuple

_GIVEN = """
Aaliyah Agnieszka Aoife Arjun Astrid Beatriz Bilal Carmen Chidi Daniel Dmitri Eleni Emre Esi Farah Femi Gabriela
Goran Hana Hugo Imani Ingrid Ivan Jasmin João Kaito Keira Lars Leila Linh Luca Maëlle Malik Mei Mirela Nadia Noah
Olga Omar Paula Priya Quentin Rania René Ruth Sanjay Sofía Søren Tamar Thabo Ulla Viktor Wanjiru Xin Yara Zofia
""".split()  # noqa: SIM905 - a list of a hundred names is a page of quotes
_FAMILY = """
Abdi Achterberg Banerjee Bergström Castillo Chukwu Costa Demir Dubois Eriksen Fernández Fischer Galanis Ghosh
Haddad Hoàng Ibrahim Ivanova Jansen Jovanović Kaplan Kim Kowalska Lindqvist Lopes Mahlangu Meyer Mwangi Nakamura
Novák O'Sullivan Okafor Papadakis Petrov Quispe Rahman Rossi Sato Schäfer Silva Tanaka Teixeira Tran Vargas
Virtanen Wójcik Yamamoto Yılmaz Zhang Zimmermann
""".split()  # noqa: SIM905 - a list of a hundred names is a page of quotes


class SamplePerson(NamedTuple):
    """An invented person. ``login`` is an e-mail address in lower case."""

    given_name: str
    family_name: str
    login: str


def invent(rng: random.Random, number: int) -> SamplePerson:
    """The next person; ``number`` goes into the address, so that no two people share one."""
    given, family = rng.choice(_GIVEN), rng.choice(_FAMILY)
    return SamplePerson(given, family, f"{_ascii(given)}.{_ascii(family)}{number}@example.com")


def _ascii(name: str) -> str:
    """``name`` as it could stand in an address: ``Søren`` -> ``soren``."""
    plain = unicodedata.normalize("NFKD", name.replace("ø", "o").replace("ı", "i"))
    return "".join(c for c in plain.lower() if c.isascii() and c.isalpha())
