"""An SSH server of another make than OpenSSH's, which takes one user by password: `server.py password|keyboard-interactive user password host-key-file`. Prints its port."""

import asyncio
import sys

import asyncssh

METHOD, USER, PASSWORD, HOST_KEY = sys.argv[1:5]


class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return METHOD == "password"

    def validate_password(self, username, password):
        return (username, password) == (USER, PASSWORD)

    def kbdint_auth_supported(self):
        return METHOD == "keyboard-interactive"

    def get_kbdint_challenge(self, username, lang, submethods):
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username, responses):
        return (username, responses) == (USER, [PASSWORD])

    def connection_requested(self, *where):
        return True

    def server_requested(self, *where):
        return True

    def unix_connection_requested(self, path):
        return True

    def unix_server_requested(self, path):
        return True


async def run(process):
    program = await asyncio.create_subprocess_shell(process.command, stdout=asyncio.subprocess.PIPE)
    out, _ = await program.communicate()
    process.stdout.write(out.decode())
    process.exit(program.returncode)


async def main():
    server = await asyncssh.create_server(Server, "127.0.0.1", 0, server_host_keys=[HOST_KEY], process_factory=run)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
