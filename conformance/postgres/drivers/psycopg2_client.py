"""psycopg2, run as a program of its own: one JSON line for each capability."""

import datetime
import decimal
import io
import os
import select
import threading
import time

import psycopg2
import psycopg2.extras

import capability

OPEN = os.environ["OPEN_DATABASE"]
conn = psycopg2.connect("")
conn.autocommit = True
psycopg2.extras.register_uuid()


def case(name):
    def run(work):
        try:
            capability.gave(name, work())
        except Exception:
            capability.failed(name)
            if not conn.closed:
                conn.rollback()
                conn.autocommit = True

    return run


def attempt(work):
    try:
        work()
        return "no error"
    except psycopg2.Error as error:
        return {"sqlstate": error.pgcode, "message": str(error)}


def execute(query, parameters=None):
    cursor = conn.cursor()
    cursor.execute(query, parameters)
    return cursor


def rows(query, parameters=None):
    return execute(query, parameters).fetchall()


def fresh():
    execute("delete from items")


def opened():
    other = psycopg2.connect(dbname=OPEN)
    other.autocommit = True
    return other


@case("simple query")
def _():
    return rows("select id, name from customers order by id limit 3")


@case("prepared by SQL")
def _():
    execute("prepare by_id (int) as select name, phone from customers where id = $1")
    found = [rows("execute by_id(%s)", [one]) for one in (2, 3)]
    execute("deallocate by_id")
    return [found, attempt(lambda: execute("select * from nothing_of_the_kind"))["sqlstate"]]


@case("types as text")
def _():
    return rows("select * from typed where id = %s", [1])


@case("types as parameters")
def _():
    values = [
        9007199254740993,
        decimal.Decimal("1.50"),
        True,
        psycopg2.Binary(b"\x00\xff"),
        psycopg2.extras.Json({"a": [1]}),
        [1, None, 3],
        datetime.datetime(2026, 2, 28, 1, 2, 3, 4, datetime.timezone.utc),
        datetime.timedelta(days=1, seconds=3),
        ["it's", 'a "b" \\ c'],
    ]
    return rows("select " + ", ".join(["%s"] * len(values)), values)


@case("NULLs")
def _():
    return rows("select %s::text, null::int, array[null]::int[]", [None])


@case("large row")
def _():
    # Parameters are put into the text, which the gateway reads up to a megabyte of.
    [(big,)] = rows("select repeat(%s, 10000)", ["x" * 1_000])
    return len(big)


@case("100,000 rows")
def _():
    found = rows("select id, 'row ' || id from payments order by id")
    return [len(found), found[-1]]


@case("transactions")
def _():
    fresh()
    conn.autocommit = False
    execute("insert into items values (1, 'rolled back')")
    conn.rollback()
    execute("insert into items values (2, 'kept')")
    execute("savepoint a")
    execute("insert into items values (3, 'undone')")
    execute("rollback to savepoint a")
    conn.commit()
    conn.set_session(isolation_level="serializable", readonly=True)
    refused = attempt(lambda: execute("insert into items values (4, 'read only')"))
    conn.rollback()
    conn.set_session(isolation_level="read committed", readonly=False)
    conn.autocommit = True
    return [refused, rows("select * from items order by id")]


@case("error in transaction")
def _():
    conn.autocommit = False
    first = attempt(lambda: execute("select 1/0"))
    second = attempt(lambda: execute("select 1"))
    conn.rollback()
    conn.autocommit = True
    return [first, second, rows("select 2")]


@case("several statements at once")
def _():
    fresh()
    return rows("insert into items values (1, 'a'); select note from items; select note, 2 from items")


@case("copy text")
def _():
    fresh()
    cursor = conn.cursor()
    cursor.copy_from(io.StringIO("1\ta\n2\t\\N\n"), "items")
    out = io.StringIO()
    cursor.copy_to(out, "items")
    return out.getvalue()


@case("copy csv")
def _():
    fresh()
    cursor = conn.cursor()
    cursor.copy_expert("copy items from stdin (format csv, header)", io.StringIO('id,note\n1,"a,b"\n2,\n'))
    out = io.StringIO()
    cursor.copy_expert("copy (select * from items order by id) to stdout (format csv)", out)
    return out.getvalue()


@case("error in copy")
def _():
    fresh()
    failed = attempt(lambda: conn.cursor().copy_from(io.StringIO("no number\tx\n"), "items"))
    return [failed, rows("select count(*) from items")]


@case("notifications")
def _():
    listener = opened()
    listener.cursor().execute("listen news")
    execute("notify news, 'good'")
    select.select([listener], [], [], 10)
    listener.poll()
    heard = [[one.channel, one.payload] for one in listener.notifies]
    listener.close()
    return heard


@case("cancel")
def _():
    timer = threading.Timer(0.3, conn.cancel)
    timer.start()
    cancelled = attempt(lambda: execute("select pg_sleep(30)"))
    timer.join()
    # The server signals a cancelled backend twice (its process and its group): the second one must not hit what comes next.
    time.sleep(0.3)
    return [cancelled, rows("select 1")]


@case("notices")
def _():
    other = opened()
    other.cursor().execute("do $$ begin raise notice 'from the server'; raise warning 'and more'; end $$")
    heard = list(other.notices)
    other.close()
    return heard


@case("cursors by name")
def _():
    conn.autocommit = False
    cursor = conn.cursor("walk", scrollable=True)
    cursor.itersize = 10
    cursor.execute("select id from customers where id <= 25 order by id")
    first = cursor.fetchmany(3)
    rest = len(cursor.fetchall())
    cursor.scroll(0, mode="absolute")
    again = cursor.fetchone()
    cursor.close()
    conn.commit()
    conn.autocommit = True
    return [first, rest, again, rows("select 1")]


@case("batch")
def _():
    fresh()
    cursor = conn.cursor()
    psycopg2.extras.execute_values(cursor, "insert into items values %s", [(one, "x") for one in range(500)], page_size=100)
    psycopg2.extras.execute_batch(cursor, "update items set note = %s where id = %s", [("y", one) for one in range(50)])
    return rows("select note, count(*) from items group by note order by note")


@case("masked as text")
def _():
    return rows("select id, ssn, profile from customers order by id limit 3")


@case("masked types")
def _():
    cursor = conn.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
    cursor.execute("select * from shaded")
    return [dict(cursor.fetchone())]


@case("denied")
def _():
    return [attempt(lambda: execute("select * from forbidden")), rows("select 1")]


@case("denied in a transaction")
def _():
    fresh()
    conn.autocommit = False
    execute("insert into items values (1, 'lost')")
    denied = attempt(lambda: execute("select * from forbidden"))
    after = attempt(lambda: execute("select 1"))
    conn.commit()
    conn.autocommit = True
    return [denied, after, rows("select count(*) from items")]


@case("defines and uses")
def _():
    execute("create table fresh_psycopg2 (id int, note text)")
    execute("insert into fresh_psycopg2 values (1, 'new')")
    seen = rows("select * from fresh_psycopg2")
    execute("drop table fresh_psycopg2")
    return seen


@case("64 connections")
def _():
    many = [psycopg2.connect("") for _ in range(64)]
    total = 0
    for n, one in enumerate(many):
        cursor = one.cursor()
        cursor.execute("select %s::int", [n])
        total += cursor.fetchone()[0]
        one.close()
    return total


conn.close()
capability.report()
