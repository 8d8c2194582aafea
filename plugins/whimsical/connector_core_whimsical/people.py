"""The sandbox's people: invented, with addresses at example.com."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class SandboxPerson(NamedTuple):
    """One line of the table below. A person without names has only an address."""

    login: str
    editor: bool
    given_name: str | None
    family_name: str | None


def people() -> Iterator[SandboxPerson]:
    """Yield all people, in the order in which they joined."""
    for line in _TABLE.strip().splitlines():
        login, role, given, family = (cell.strip() for cell in line.split("|"))
        yield SandboxPerson(login, role == "editor", given or None, family or None)


_TABLE = """
ada@example.com | editor | Ada | Lovegrove
noah.kim@example.com | editor | Noah | Kim
nadia.fischer@example.com | viewer | Nadia | Fischer
laila.benali@example.com | editor | Laïla | Benali
lars.virtanen@example.com | viewer | Lars | Virtanen
rene.martin@example.com | viewer | René | Martin
sofia.fernandez@example.com | viewer | Sofía | Fernández
emre.yilmaz@example.com | viewer | Emre | Yılmaz
tamar.kaplan@example.com | editor | Tamar | Kaplan
ada.brandt@example.com | editor | Ada | Brandt
yuki.tanaka@example.com | editor | Yuki | Tanaka
arjun.ghosh@example.com | viewer | Arjun | Ghosh
mei.zhang@example.com | editor | Mei | Zhang
jonas.schafer@example.com | editor | Jonas | Schäfer
dmitri.ivanov@example.com | viewer | Dmitri | Ivanov
front-desk@example.com | viewer | |
ruth.galanis@example.com | viewer | Ruth | Galanis
aaliyah.abdi@example.com | viewer | Aaliyah | Abdi
kaito.nakamura@example.com | viewer | Kaito | Nakamura
agnieszka.kowalska@example.com | viewer | Agnieszka | Kowalska
omar.said@example.com | viewer | Omar | Said
wanjiru.njoroge@example.com | editor | Wanjiru | Njoroge
esi.mensah@example.com | viewer | Esi | Mensah
daniel.meyer@example.com | viewer | Daniel | Meyer
luca.moretti@example.com | viewer | Luca | Moretti
olga.zimmermann@example.com | viewer | Olga | Zimmermann
mg.villavicencio@example.com | editor | Maria Guadalupe Esperanza | de la Santísima Trinidad y Villavicencio-Montemayor
xin.li@example.com | viewer | Xin | Li
rania.mansour@example.com | viewer | Rania | Mansour
viktor.petrov@example.com | editor | Viktor | Petrov
bilal.rahman@example.com | editor | Bilal | Rahman
joao.silva@example.com | viewer | João | Silva
gabriela.costa@example.com | viewer | Gabriela | Costa
yara.vargas@example.com | viewer | Yara | Vargas
hugo.teixeira@example.com | viewer | Hugo | Teixeira
priya.banerjee@example.com | editor | Priya | Banerjee
imani.mwangi@example.com | editor | Imani | Mwangi
quentin.achterberg@example.com | viewer | Quentin | Achterberg
malik.johnson@example.com | viewer | Malik | Johnson
hana.novak@example.com | viewer | Hana | Novák
mirela.popescu@example.com | viewer | Mirela | Popescu
soren.lindqvist@example.com | editor | Søren | Lindqvist
thabo.mahlangu@example.com | viewer | Thabo | Mahlangu
beatriz.lopes@example.com | viewer | Beatriz | Lopes
carmen.quispe@example.com | viewer | Carmen | Quispe
farah.haddad@example.com | editor | Farah | Haddad
chiara.rossi@example.com | editor | Chiara | Rossi
paula.castillo@example.com | editor | Paula | Castillo
femi.adeyemi@example.com | viewer | Femi | Adeyemi
ulla.jansen@example.com | viewer | Ulla | Jansen
ingrid.eriksen@example.com | viewer | Ingrid | Eriksen
anais.dubois@example.com | viewer | Anaïs | Dubois
hoai.tran@example.com | editor | Hoài | Trần
goran.jovanovic@example.com | viewer | Goran | Jovanović
sanjay.patel@example.com | viewer | Sanjay | Patel
eleni.papadakis@example.com | editor | Eleni | Papadakis
chidi.okafor@example.com | editor | Chidi | Okafor
leila.ibrahim@example.com | viewer | Leila | Ibrahim
astrid.bergstrom@example.com | viewer | Astrid | Bergström
keira.osullivan@example.com | editor | Keira | O'Sullivan
zofia.wojcik@example.com | editor | Zofia | Wójcik
"""
