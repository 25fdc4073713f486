"""What RDS keeps of its log, by its own table: a real MariaDB that carries the table and the procedures as documented.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/mysql-stored-proc-configuring.html
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flows.core.finding import explaining
from tests.faults.frame import Fault, Wire, both, by_hand, prove, sql
from tests.faults.mariadb_site import NAME, MariaSite, running
from tests.servers import missing_mariadb

pytestmark = pytest.mark.skipif(bool(missing_mariadb()), reason=missing_mariadb() or "-")
CODE, SERVER, FAMILY = "replication.binlog_retention", "server_misconfigured", "rds mysql"
TABLE = (
    "CREATE OR REPLACE TABLE mysql.rds_configuration(name varchar(100) NOT NULL, value varchar(100), description varchar(300))",
    "INSERT INTO mysql.rds_configuration VALUES ('binlog retention hours', '168', 'binlog retention hours specifies the duration in hours "
    "before binary logs are automatically deleted.'), ('source delay', '0', ''), ('target delay', '0', '')",
    "CREATE OR REPLACE PROCEDURE mysql.rds_show_configuration() SELECT name, value, description FROM mysql.rds_configuration",
    "CREATE OR REPLACE PROCEDURE mysql.rds_set_configuration(n varchar(100), v int) UPDATE mysql.rds_configuration SET value = v WHERE name = n",
    f"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {NAME}", f"GRANT SELECT ON mysql.rds_configuration TO {NAME}",
)  # fmt: skip
NOT_THE_TABLE = sql(f"REVOKE SELECT ON mysql.rds_configuration FROM {NAME}")
PROCEDURE = sql(f"GRANT EXECUTE ON PROCEDURE mysql.rds_show_configuration TO {NAME}")


class Rds(MariaSite):
    def fresh(self) -> Wire:
        plain = super().fresh()
        return Wire("rds_mysql", plain.settings, plain.secrets, plain.tables, "log")

    def restore(self) -> None:
        super().restore()
        for statement in TABLE:
            self.run(statement)


@pytest.fixture(scope="module")
def site() -> Iterator[MariaSite]:
    with running(Rds) as made:
        yield made


def keeps(hours: str) -> str:
    return f"UPDATE mysql.rds_configuration SET value = {hours} WHERE name = 'binlog retention hours'"


FAULTS = [
    Fault("nothing is set, as it is at first", FAMILY, SERVER, CODE, sql(keeps("NULL"))),
    Fault("the log is kept for a day on RDS", FAMILY, SERVER, CODE, sql(keeps("'24'"))),
    Fault("the same, told by the procedure alone", FAMILY, SERVER, CODE, both(NOT_THE_TABLE, PROCEDURE, sql(keeps("NULL")))),
    Fault("the account may not know it", FAMILY, SERVER, "replication.retention_unknown", NOT_THE_TABLE, by_hand(PROCEDURE), verdict="unclear"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named_and_its_own_remedy_mends_it(fault: Fault, site: MariaSite) -> None:
    prove(fault, site)


def test_what_mysqls_own_variable_says_does_not_count_there(site: MariaSite) -> None:
    site.run("SET GLOBAL expire_logs_days = 1")
    assert explaining(site.wire.look()) is None
    site.wire = Wire("mariadb", site.wire.settings, site.wire.secrets, site.wire.tables, "log")
    top = explaining(site.wire.look())
    site.restore()
    assert top is not None
    assert top.code == CODE
