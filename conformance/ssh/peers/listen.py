"""Has the machine listen, which is this one, too, and talks to itself through it: `listen.py paramiko|asyncssh host port user key-file known-hosts-file`."""

import asyncio
import socket
import sys


def talk(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"hello\n")
        connection.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := connection.recv(4096):
            got += chunk
    return got.decode()


def is_there(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


def by_paramiko(host, port, user, key, known_hosts):
    import paramiko

    client = paramiko.SSHClient()
    client.load_host_keys(known_hosts)
    client.connect(host, port=port, username=user, key_filename=key, look_for_keys=False, allow_agent=False)
    transport = client.get_transport()

    def serve(channel, origin, server):
        import threading

        def run():
            got = b""
            while chunk := channel.recv(4096):
                got += chunk
            channel.sendall(b"from " + origin[0].encode() + b": " + got)
            channel.close()

        threading.Thread(target=run).start()

    chosen = transport.request_port_forward("127.0.0.1", 0, serve)
    print(chosen > 0, talk(chosen))
    transport.cancel_port_forward("127.0.0.1", chosen)
    print("still there" if is_there(chosen) else "gone")
    client.close()


async def by_asyncssh(host, port, user, key, known_hosts):
    import asyncssh

    loop = asyncio.get_running_loop()
    async with asyncssh.connect(host, port=port, username=user, client_keys=[key], known_hosts=known_hosts, agent_path=None) as connection:

        def accepted(origin_host, origin_port):
            async def serve(reader, writer):
                got = await reader.read()
                writer.write(b"from " + origin_host.encode() + b": " + got)
                writer.close()

            return serve

        listener = await connection.start_server(accepted, "127.0.0.1", 0)
        chosen = listener.get_port()
        print(chosen > 0, await loop.run_in_executor(None, talk, chosen))
        listener.close()
        await listener.wait_closed()
        print("still there" if is_there(chosen) else "gone")


def main():
    library, host, port, user, key, known_hosts = sys.argv[1:7]
    if library == "paramiko":
        by_paramiko(host, int(port), user, key, known_hosts)
    else:
        asyncio.run(by_asyncssh(host, int(port), user, key, known_hosts))


main()
