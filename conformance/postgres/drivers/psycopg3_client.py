"""psycopg 3, run as a program of its own: one JSON line for each capability."""

import os
import threading
import time
import datetime

import psycopg
from psycopg.types.json import Jsonb

import capability

OPEN = os.environ["OPEN_DATABASE"]
conn = psycopg.connect(autocommit=True)


def case(name):
    def run(work):
        try:
            capability.gave(name, work())
        except Exception:
            capability.failed(name)
            if not conn.closed:
                conn.rollback()

    return run


def attempt(work):
    try:
        work()
        return "no error"
    except psycopg.Error as error:
        if error.sqlstate is None:
            # In a pipeline, what was skipped over by an earlier error.
            return {"skipped": type(error).__name__}
        return {"sqlstate": error.sqlstate, "message": str(error)}


def rows(query, parameters=None, **options):
    return conn.execute(query, parameters, **options).fetchall()


def binary(query, parameters=()):
    with conn.cursor(binary=True) as cursor:
        return cursor.execute(query, parameters).fetchall()


def record(query, **options):
    with conn.cursor(row_factory=psycopg.rows.dict_row, **options) as cursor:
        return cursor.execute(query).fetchone()


def fresh():
    conn.execute("delete from items")


@case("simple query")
def _():
    return rows("select id, name from customers order by id limit 3")


@case("prepared query")
def _():
    query = "select name from customers where id = %s"
    return [rows(query, [one], prepare=True) for one in (2, 3, 4)]


@case("types as text")
def _():
    return rows("select * from typed where id = %s", [1])


@case("types in binary")
def _():
    return binary("select * from typed where id = %b", [1])


@case("types as parameters")
def _():
    values = [
        9007199254740993,
        1.5,
        True,
        b"\x00\xff",
        Jsonb({"a": [1]}),
        [1, None, 3],
        datetime.datetime(2026, 2, 28, 1, 2, 3, 4, datetime.timezone.utc),
        datetime.date(2026, 2, 28),
        datetime.timedelta(days=1, seconds=3),
        ["a", "b c"],
    ]
    text = "select " + ", ".join(["%t"] * len(values))
    mixed = "select %b, %b, %b, %b, %b, %b, %b, %b, %b, %t"
    return [rows(text, values), binary(mixed, values)]


@case("NULLs")
def _():
    return [rows("select %s::text, null::int, array[null]::int[]", [None]), binary("select %b::text, array[null]::int[]", [None])]


@case("large row")
def _():
    big = "x" * 10_000_000
    [(back, data)] = binary("select %s::text, %b::bytea", [big, big.encode()])
    return [back == big, len(data)]


@case("100,000 rows")
def _():
    found = rows("select id, 'row ' || id from payments order by id")
    return [len(found), found[-1]]


@case("transactions")
def _():
    fresh()
    try:
        with conn.transaction():
            conn.execute("insert into items values (1, 'rolled back')")
            raise ValueError
    except ValueError:
        pass
    with conn.transaction():
        conn.execute("insert into items values (2, 'kept')")
        try:
            with conn.transaction():
                conn.execute("insert into items values (3, 'undone')")
                raise ValueError
        except ValueError:
            pass
    return rows("select * from items order by id")


@case("error in transaction")
def _():
    conn.execute("begin")
    first = attempt(lambda: conn.execute("select 1/0"))
    second = attempt(lambda: conn.execute("select 1"))
    status = conn.info.transaction_status.name
    conn.rollback()
    return [first, second, status, rows("select 2")]


@case("several statements at once")
def _():
    fresh()
    cursor = conn.execute("insert into items values (1, 'a'); select note from items; select 2")
    found = [cursor.statusmessage]
    while cursor.nextset():
        found.append(cursor.fetchall())
    return found


@case("copy text")
def _():
    fresh()
    with conn.cursor() as cursor:
        with cursor.copy("copy items from stdin") as copy:
            copy.write_row((1, "a\tb"))
            copy.write_row((2, None))
        with cursor.copy("copy items to stdout") as copy:
            return [[row for row in copy.rows()], rows("select count(*) from items")]


@case("copy csv")
def _():
    fresh()
    with conn.cursor() as cursor:
        with cursor.copy("copy items from stdin (format csv, header)") as copy:
            copy.write('id,note\n1,"a,b"\n2,\n')
        with cursor.copy("copy (select * from items order by id) to stdout (format csv)") as copy:
            return b"".join(bytes(part) for part in copy)


@case("copy binary")
def _():
    fresh()
    with conn.cursor() as cursor:
        with cursor.copy("copy items from stdin (format binary)") as copy:
            copy.set_types(["int4", "text"])
            copy.write_row((1, "a"))
            copy.write_row((2, None))
    with psycopg.connect(dbname=OPEN, autocommit=True) as opened, opened.cursor() as cursor:
        with cursor.copy("copy items to stdout (format binary)") as copy:
            copy.set_types(["int4", "text"])
            return [row for row in copy.rows()]


@case("error in copy")
def _():
    fresh()

    def broken():
        with conn.cursor() as cursor, cursor.copy("copy items from stdin") as copy:
            copy.write("no number\tx\n")

    def given_up():
        with conn.cursor() as cursor, cursor.copy("copy items from stdin") as copy:
            copy.write("1\tx\n")
            raise ValueError("given up")

    first = attempt(broken)
    return [first, attempt(given_up), rows("select count(*) from items")]


@case("notifications")
def _():
    with psycopg.connect(dbname=OPEN, autocommit=True) as listener:
        listener.execute("listen news")
        conn.execute("notify news, 'good'")
        for heard in listener.notifies():
            return [heard.channel, heard.payload]


@case("cancel")
def _():
    timer = threading.Timer(0.3, conn.cancel)
    timer.start()
    cancelled = attempt(lambda: conn.execute("select pg_sleep(30)"))
    timer.join()
    # The server signals a cancelled backend twice (its process and its group): the second one must not hit what comes next.
    time.sleep(0.3)
    return [cancelled, rows("select 1")]


@case("notices")
def _():
    heard = []
    with psycopg.connect(dbname=OPEN, autocommit=True) as opened:
        opened.add_notice_handler(lambda notice: heard.append([notice.severity, notice.message_primary]))
        opened.execute("do $$ begin raise notice 'from the server'; raise warning 'and more'; end $$")
    return heard


@case("cursors by name")
def _():
    found = []
    with conn.transaction():
        for as_binary in (False, True):
            with conn.cursor("walk", binary=as_binary, scrollable=True) as cursor:
                cursor.itersize = 10
                cursor.execute("select id, ssn from customers where id <= %s order by id", [25])
                found.append(cursor.fetchmany(3))
                found.append(len(cursor.fetchall()))
                cursor.scroll(0, mode="absolute")
                found.append(cursor.fetchone()[0])
    return [[len(part) if isinstance(part, list) else part for part in found], rows("select 1")]


@case("pipeline")
def _():
    with conn.pipeline():
        cursors = [conn.execute("select id from customers where id = %s", [one + 1]) for one in range(200)]
    return sum(cursor.fetchone()[0] for cursor in cursors)


def in_pipeline(middle):
    fresh()
    outcome = []

    def work():
        with conn.pipeline() as pipeline:
            conn.execute("insert into items values (1, 'same implicit transaction')")
            conn.execute(middle)
            conn.execute("insert into items values (2, 'skipped over')")
            pipeline.sync()

    outcome.append(attempt(work))
    outcome.append(rows("select * from items order by id"))

    def parts():
        with conn.pipeline() as pipeline:
            conn.execute("insert into items values (3, 'kept')")
            pipeline.sync()
            try:
                conn.execute(middle)
                pipeline.sync()
            except psycopg.Error as error:
                outcome.append(error.sqlstate)
            conn.execute("insert into items values (4, 'kept as well')")
            pipeline.sync()

    outcome.append(attempt(parts))
    outcome.append(rows("select * from items order by id"))

    def transaction():
        with conn.pipeline(), conn.transaction():
            conn.execute("insert into items values (5, 'lost')")
            conn.execute(middle)
            conn.execute("insert into items values (6, 'lost')")

    outcome.append(attempt(transaction))
    outcome.append(conn.info.transaction_status.name)
    outcome.append(rows("select * from items order by id"))
    return outcome


@case("pipeline with an error")
def _():
    return in_pipeline("select 1/0")


@case("pipeline with a denied statement")
def _():
    return in_pipeline("select * from forbidden")


@case("executemany")
def _():
    fresh()
    with conn.cursor() as cursor:
        cursor.executemany("insert into items values (%s, %s) returning id", [(one, "x") for one in range(100)], returning=True)
        count = 1
        while cursor.nextset():
            count += 1
    return [count, rows("select count(*), sum(id) from items")]


@case("masked as text")
def _():
    return rows("select id, ssn, profile from customers order by id limit 3")


@case("masked in binary")
def _():
    return binary("select id, ssn, profile from customers order by id limit 3")


@case("masked types")
def _():
    conn.execute("set timezone = 'UTC'")
    return [record("select * from shaded"), record("select * from shaded", binary=True)]


@case("denied")
def _():
    return [
        attempt(lambda: conn.execute("select * from forbidden")),
        attempt(lambda: conn.execute("select * from forbidden where id = %s", [1], prepare=True)),
        rows("select 1"),
    ]


@case("denied in a transaction")
def _():
    fresh()
    conn.execute("begin")
    conn.execute("insert into items values (1, 'lost')")
    denied = attempt(lambda: conn.execute("select * from forbidden"))
    after = attempt(lambda: conn.execute("select 1"))
    conn.execute("commit")
    return [denied, after, rows("select count(*) from items")]


@case("denied after a savepoint")
def _():
    fresh()
    with conn.transaction():
        conn.execute("insert into items values (1, 'kept')")

        def nested():
            with conn.transaction():
                conn.execute("select * from forbidden")

        denied = attempt(nested)
        conn.execute("insert into items values (2, 'kept')")
    return [denied, rows("select count(*) from items")]


@case("prepared, 300 times")
def _():
    return sum(rows("select id from customers where id = %s", [one + 1], prepare=True)[0][0] for one in range(300))


@case("defines and uses")
def _():
    conn.execute("create table fresh_psycopg (id int, note text)")
    conn.execute("insert into fresh_psycopg values (1, 'new')")
    seen = rows("select * from fresh_psycopg")
    conn.execute("drop table fresh_psycopg")
    conn.execute("create temporary table passing (id int, note text)")
    conn.execute("insert into passing values (1, 'short-lived')")
    return [seen, rows("select * from passing")]


@case("64 connections")
def _():
    many = [psycopg.connect() for _ in range(64)]
    total = sum(one.execute("select %s::int", [n]).fetchone()[0] for n, one in enumerate(many))
    for one in many:
        one.close()
    return total


conn.close()
capability.report()
