/**
 * Whether a target's list lets a client set a variable. `*` at the end of a name of the list stands for the rest; never for a variable that changes which code runs: such
 * a one must be named exactly.
 */
export function maySet(name: string, allowed: readonly string[]): boolean {
  if (!variableName.test(name)) return false;
  if (allowed.includes(name)) return true;
  if (isDangerous(name)) return false;
  return allowed.some((one) => one.endsWith('*') && one.length > 1 && name.startsWith(one.slice(0, -1)));
}

/** Variables by which loaders, shells and interpreters choose code, configuration or the files they trust. */
export function isDangerous(name: string): boolean {
  return dangerous.has(name) || dangerousPrefixes.some((prefix) => name.startsWith(prefix));
}

/** POSIX.1-2024, section 8.1, and no other: a shell takes functions out of names with other characters. */
const variableName = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

const dangerousPrefixes: readonly string[] = [
  'LD_',
  'DYLD_',
  'BASH_',
  'GIT_',
  'PYTHON',
  'PERL',
  'RUBY',
  'NODE_',
  'NPM_',
  'JAVA_',
  'SSH_',
  'SUDO_',
  'KRB5',
  'GCONV',
  'MALLOC_',
  'DBUS_',
  'XDG_',
  'PSQL',
  'PG',
  'AWS_',
  'AZURE_',
  'GOOGLE_',
  'KUBE',
  'DOCKER_',
  'LUA_',
  'PHP',
  'TERMINFO',
  'LESS',
  'FCEDIT',
  'PROMPT_',
  'GLIBC_',
  'OPENSSL_',
  'SSL_',
  'CURL_',
];

const dangerous: ReadonlySet<string> = new Set([
  'PATH',
  'ENV',
  'IFS',
  'CDPATH',
  'GLOBIGNORE',
  'SHELLOPTS',
  'POSIXLY_CORRECT',
  'PS0',
  'PS1',
  'PS2',
  'PS4',
  'HOME',
  'SHELL',
  'USER',
  'LOGNAME',
  'EDITOR',
  'VISUAL',
  'PAGER',
  'MANPAGER',
  'BROWSER',
  'TMPDIR',
  'TEMP',
  'TMP',
  'ZDOTDIR',
  'INPUTRC',
  'HISTFILE',
  'RES_OPTIONS',
  'HOSTALIASES',
  'LOCALDOMAIN',
  'NLSPATH',
  'LOCPATH',
  'TZDIR',
  'CLASSPATH',
  '_JAVA_OPTIONS',
  'JDK_JAVA_OPTIONS',
  'DISPLAY',
  'XAUTHORITY',
  'TERMCAP',
  'MAIL',
  'MAILPATH',
  'http_proxy',
  'https_proxy',
  'all_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
]);
