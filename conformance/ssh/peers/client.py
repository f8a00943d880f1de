"""The same few things by a library, as JSON: `client.py paramiko|asyncssh host port user key-file known-hosts-file`."""

import asyncio
import hashlib
import io
import json
import sys

BINARY = bytes(range(256)) * 20000


def digest(data):
    return "%d %s" % (len(data), hashlib.sha256(data).hexdigest())


def by_paramiko(host, port, user, key, known_hosts):
    import paramiko

    client = paramiko.SSHClient()
    client.load_host_keys(known_hosts)
    client.connect(host, port=port, username=user, key_filename=key, look_for_keys=False, allow_agent=False)
    told = {}
    for name, command, data in [
        ("status", "echo out; echo err >&2; exit 7", None),
        ("binary", "cat", BINARY),
        ("signal", "kill -TERM $$", None),
        ("several", "sleep 0.2; echo one; sleep 0.2; echo two", None),
    ]:
        stdin, stdout, stderr = client.exec_command(command)
        # stdin has no flow of its own: written in the background while output is read.
        if data is not None:
            import threading

            def write():
                stdin.write(data)
                stdin.channel.shutdown_write()

            writer = threading.Thread(target=write)
            writer.start()
        else:
            stdin.channel.shutdown_write()
        out, err = stdout.read(), stderr.read()
        told[name] = [stdout.channel.recv_exit_status(), digest(out), digest(err)]
    channel = client.get_transport().open_session()
    channel.set_environment_variable("SALLYPORT_TEST", "by paramiko")
    channel.get_pty(term="vt100", width=91, height=23)
    channel.exec_command('stty size; echo "$SALLYPORT_TEST"; read line; stty size; echo "$line"')
    shown = b""
    while b"by paramiko" not in shown:
        shown += channel.recv(4096)
    channel.resize_pty(width=77, height=19)
    channel.send(b"typed\n")
    while True:
        chunk = channel.recv(4096)
        if not chunk:
            break
        shown += chunk
    told["terminal"] = [channel.recv_exit_status(), shown.decode()]
    sftp = client.open_sftp()
    sftp.putfo(io.BytesIO(BINARY), sys.argv[7] + "/put")
    with sftp.open(sys.argv[7] + "/put", "rb") as file:
        told["sftp"] = [sorted(sftp.listdir(sys.argv[7])), digest(file.read())]
    client.close()
    return told


async def by_asyncssh(host, port, user, key, known_hosts):
    import asyncssh

    told = {}
    async with asyncssh.connect(host, port=port, username=user, client_keys=[key], known_hosts=known_hosts, agent_path=None) as connection:
        async def run(command, data=None):
            ran = await connection.run(command, input=data, encoding=None)
            return [ran.exit_status, list(ran.exit_signal or [])[:1], digest(ran.stdout), digest(ran.stderr)]

        told["status"] = await run("echo out; echo err >&2; exit 7")
        told["binary"] = await run("cat", BINARY)
        told["signal"] = await run("kill -TERM $$")
        told["many"] = await asyncio.gather(*(run("echo %d; exit %d" % (n, n)) for n in range(8)))
        # A server without privileges, or one for root, does not deliver it.
        process = await connection.create_process("echo ready; exec sleep 3")
        await process.stdout.readline()
        process.send_signal("TERM")
        ended = await process.wait()
        told["signalled"] = [ended.exit_status, list(ended.exit_signal or [])[:1]]
        terminal = await connection.run("stty size", term_type="vt100", term_size=(91, 23))
        told["terminal"] = [terminal.exit_status, terminal.stdout]
        async with connection.start_sftp_client() as sftp:
            async with sftp.open(sys.argv[7] + "/put", "wb") as file:
                await file.write(BINARY)
            async with sftp.open(sys.argv[7] + "/put", "rb") as file:
                told["sftp"] = [digest(await file.read())]
    return told


def main():
    library, host, port, user, key, known_hosts = sys.argv[1:7]
    if library == "paramiko":
        told = by_paramiko(host, int(port), user, key, known_hosts)
    else:
        told = asyncio.run(by_asyncssh(host, int(port), user, key, known_hosts))
    for name, value in told.items():
        print(name, json.dumps(value))


main()
