import type { DevelopmentPerson } from './issuer.ts';

export const developmentNotice =
  'DEVELOPMENT ISSUER: no passwords, anyone who reaches it can be anyone. For demonstrations and tests on this machine only.';

/** Whoever is chosen is signed in. */
export function choosePersonPage(people: readonly DevelopmentPerson[], client: string): string {
  const buttons = people.map(
    ({ subject, name, groups }) =>
      `<p><button name="person" value="${escapeHtml(subject)}">${escapeHtml(name)}</button> ${escapeHtml(groups.join(', '))}</p>`,
  );
  return page(`Sign in to ${client} as`, `<form method="post">${buttons.join('')}</form>`);
}

export function userCodePage(form: string, problem: string | undefined): string {
  const text = problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>`;
  return page('Enter the code that your terminal shows', `${text}${form}<p><button form="op.deviceInputForm">Continue</button></p>`);
}

export function confirmCodePage(form: string, userCode: string): string {
  return page(
    `Is this the code in your terminal: ${userCode}?`,
    `${form}<p><button form="op.deviceConfirmForm" autofocus>Yes, continue</button></p>
     <p><button form="op.deviceConfirmForm" name="abort" value="yes">No</button></p>`,
  );
}

export function messagePage(title: string, text: string): string {
  return page(title, `<p>${escapeHtml(text)}</p>`);
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
  aside { background: #b00020; color: #fff; padding: 0.75rem 1rem; font-weight: 600; }
  button { font: inherit; padding: 0.4rem 1rem; }
</style>
<aside>${developmentNotice}</aside>
<h1>${escapeHtml(title)}</h1>
${body}
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
