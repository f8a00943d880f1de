"""asyncpg, which speaks binary throughout: one JSON line for each capability."""

import asyncio
import datetime
import decimal
import io
import ipaddress
import os
import uuid

import asyncpg

import capability

OPEN = os.environ["OPEN_DATABASE"]
cases = []


def case(name):
    def add(work):
        cases.append((name, work))

    return add


async def attempt(awaitable):
    try:
        await awaitable
        return "no error"
    except asyncpg.PostgresError as error:
        return {"sqlstate": error.sqlstate, "message": str(error)}


def plain(found):
    return [list(row.values()) for row in found]


async def fresh(conn):
    await conn.execute("delete from items")


@case("simple query")
async def _(conn):
    return await conn.execute("select id, name from customers order by id limit 3")


@case("prepared query")
async def _(conn):
    statement = await conn.prepare("select name from customers where id = $1")
    return [[await statement.fetchval(one) for one in (2, 3)], str(statement.get_parameters()), str(statement.get_attributes())]


@case("types in binary")
async def _(conn):
    return plain(await conn.fetch("select * from typed where id = $1", 1))


@case("types as parameters")
async def _(conn):
    return plain(
        await conn.fetch(
            "select $1::int8, $2::numeric, $3::bool, $4::bytea, $5::jsonb, $6::int[], $7::timestamptz, $8::interval, $9::uuid, $10::inet, $11::text[]",
            9007199254740993,
            decimal.Decimal("1.50"),
            True,
            b"\x00\xff",
            '{"a": [1]}',
            [1, None, 3],
            datetime.datetime(2026, 2, 28, 1, 2, 3, 4, datetime.timezone.utc),
            datetime.timedelta(days=1, seconds=3),
            uuid.UUID(int=7),
            ipaddress.ip_address("::1"),
            ["it's", 'a "b"'],
        )
    )


@case("NULLs")
async def _(conn):
    return plain(await conn.fetch("select $1::text, null::int, array[null]::int[]", None))


@case("large row")
async def _(conn):
    big = "x" * 10_000_000
    row = await conn.fetchrow("select $1::text, $2::bytea", big, big.encode())
    return [row[0] == big, len(row[1])]


@case("100,000 rows")
async def _(conn):
    found = await conn.fetch("select id, 'row ' || id from payments order by id")
    return [len(found), list(found[-1].values())]


@case("transactions")
async def _(conn):
    await fresh(conn)
    outer = conn.transaction()
    await outer.start()
    await conn.execute("insert into items values (1, 'rolled back')")
    await outer.rollback()
    async with conn.transaction(isolation="serializable"):
        await conn.execute("insert into items values ($1, $2)", 2, "kept")
        nested = conn.transaction()
        await nested.start()
        await conn.execute("insert into items values (3, 'undone')")
        await nested.rollback()
    return plain(await conn.fetch("select * from items order by id"))


@case("error in transaction")
async def _(conn):
    transaction = conn.transaction()
    await transaction.start()
    first = await attempt(conn.fetch("select 1/$1::int", 0))
    second = await attempt(conn.fetch("select 1"))
    await transaction.rollback()
    return [first, second, plain(await conn.fetch("select 2"))]


@case("several statements at once")
async def _(conn):
    await fresh(conn)
    return await conn.execute("insert into items values (1, 'a'); select note from items; update items set note = 'b'")


@case("copy text")
async def _(conn):
    await fresh(conn)
    await conn.copy_to_table("items", source=io.BytesIO(b"1\ta\n2\t\\N\n"))
    out = io.BytesIO()
    await conn.copy_from_table("items", output=out)
    return out.getvalue()


@case("copy csv")
async def _(conn):
    await fresh(conn)
    await conn.copy_to_table("items", source=io.BytesIO(b'1,"a,b"\n2,\n'), format="csv")
    out = io.BytesIO()
    await conn.copy_from_query("select * from items where id < $1 order by id", 5, output=out, format="csv")
    return out.getvalue()


@case("copy binary")
async def _(conn):
    await fresh(conn)
    done = await conn.copy_records_to_table("items", records=[(one, f"note {one}") for one in range(1000)])
    opened = await asyncpg.connect(database=OPEN)
    out = io.BytesIO()
    await opened.copy_from_query("select * from items order by id", output=out, format="binary")
    await opened.close()
    return [done, out.getvalue()]


@case("error in copy")
async def _(conn):
    await fresh(conn)
    failed = await attempt(conn.copy_to_table("items", source=io.BytesIO(b"no number\tx\n")))
    return [failed, await conn.fetchval("select count(*) from items")]


@case("notifications")
async def _(conn):
    listener = await asyncpg.connect(database=OPEN)
    heard = asyncio.get_running_loop().create_future()
    await listener.add_listener("news", lambda _conn, _pid, channel, payload: heard.set_result([channel, payload]))
    await conn.execute("notify news, 'good'")
    news = await asyncio.wait_for(heard, 10)
    await listener.close()
    return news


@case("cancel")
async def _(conn):
    try:
        await conn.fetch("select pg_sleep(30)", timeout=0.3)
        ended = "no timeout"
    except asyncio.TimeoutError:
        ended = "timeout"
    # The server signals a cancelled backend twice (its process and its group): the second one must not hit what comes next.
    await asyncio.sleep(0.3)
    return [ended, await conn.fetchval("select 1")]


@case("notices")
async def _(_conn):
    opened = await asyncpg.connect(database=OPEN)
    heard = []
    opened.add_log_listener(lambda _conn, message: heard.append([message.severity, message.message]))
    await opened.execute("do $$ begin raise notice 'from the server'; raise warning 'and more'; end $$")
    await asyncio.sleep(0.05)
    await opened.close()
    return heard


@case("portal by portions")
async def _(conn):
    async with conn.transaction():
        found = [row["id"] async for row in conn.cursor("select id from customers where id <= $1 order by id", 25, prefetch=10)]
        cursor = await conn.cursor("select id from customers order by id")
        first = plain(await cursor.fetch(3))
        await cursor.forward(10)
        return [found, first, plain(await cursor.fetch(2))]


@case("batch")
async def _(conn):
    await fresh(conn)
    await conn.executemany("insert into items values ($1, $2)", [(one, "x") for one in range(1000)])
    failed = await attempt(conn.executemany("insert into items values ($1, $2)", [(2000, "x"), (1, "twice"), (2001, "x")]))
    return [failed, await conn.fetchval("select count(*) from items")]


@case("masked in binary")
async def _(conn):
    return plain(await conn.fetch("select id, ssn, profile from customers order by id limit 3"))


@case("masked types")
async def _(conn):
    return [dict((await conn.fetchrow("select * from shaded")).items())]


@case("denied")
async def _(conn):
    return [
        await attempt(conn.execute("select * from forbidden")),
        await attempt(conn.fetch("select * from forbidden where id = $1", 1)),
        await conn.fetchval("select 1"),
    ]


@case("denied in a transaction")
async def _(conn):
    await fresh(conn)
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("insert into items values (1, 'lost')")
    denied = await attempt(conn.fetch("select * from forbidden"))
    after = await attempt(conn.fetch("select 1"))
    await transaction.rollback()
    return [denied, after, await conn.fetchval("select count(*) from items")]


@case("prepared, 300 times")
async def _(conn):
    return sum([await conn.fetchval("select id from customers where id = $1", one + 1) for one in range(300)])


@case("type of one's own")
async def _(conn):
    return [await conn.fetchval("select $1::mood", "glad"), plain(await conn.fetch("select array[$1::mood], items from items", "sad"))]


@case("pool")
async def _(_conn):
    async with asyncpg.create_pool(min_size=2, max_size=4) as pool:
        return sum(await asyncio.gather(*(pool.fetchval("select $1::int", n) for n in range(40))))


@case("64 connections")
async def _(_conn):
    many = await asyncio.gather(*(asyncpg.connect() for _ in range(64)))
    answers = await asyncio.gather(*(one.fetchval("select $1::int", n) for n, one in enumerate(many)))
    await asyncio.gather(*(one.close() for one in many))
    return sum(answers)


async def main():
    conn = await asyncpg.connect()
    for name, work in cases:
        try:
            capability.gave(name, await asyncio.wait_for(work(conn), 30))
        except Exception:
            capability.failed(name)
    await conn.close()
    capability.report()


asyncio.run(main())
