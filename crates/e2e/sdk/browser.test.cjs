// People at a browser: the sign-in page, with and without scripts, and the way through the provider.
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { chromium } = require('playwright-core');

const { JAN_SERVER: server, JAN_CHROMIUM: executablePath, JAN_PROVIDER: provider } = process.env;
const LOGIN = `${server}/auth/login?mode=redirect`;
const PASSWORD = 'correct horse battery';
// A machine that builds is slow.
const PATIENCE = 60_000;

let browser;
test.before(async () => {
  // The sandbox needs another user than root; the pages are our own.
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });
});
test.after(() => browser.close());

/** A browser of somebody's own, with an open page. */
async function open(t, options = {}) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => message.text().includes('Content Security Policy') && page.problems.push(message.text()));
  await page.goto(LOGIN);
  return page;
}

/** Waits for the end of a sign-in; its access token. */
async function landed(page) {
  await page.waitForURL(/\/auth\/done#/);
  const token = new URLSearchParams(new URL(page.url()).hash.slice(1)).get('access_token');
  assert.ok(token, page.url());
  return token;
}

async function me(token) {
  const answer = await fetch(`${server}/auth/me`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200);
  return answer.json();
}

/** What everybody needs who does not see the page, or has no mouse. */
async function accessible(page) {
  const found = await page.evaluate(() => {
    const shown = (element) => element.type !== 'hidden';
    const inputs = [...document.querySelectorAll('input')].filter(shown);
    return {
      lang: document.documentElement.lang,
      title: document.title,
      headings: document.querySelectorAll('h1').length,
      main: document.querySelectorAll('main').length,
      unlabelled: inputs.filter((input) => ![...input.labels].some((label) => label.textContent.trim())).map((input) => input.name),
      ids: [...document.querySelectorAll('[id]')].map((element) => element.id),
      dangling: [...document.querySelectorAll('[aria-describedby]')]
        .filter((element) => !document.getElementById(element.getAttribute('aria-describedby'))).map((element) => element.id),
      nameless: [...document.querySelectorAll('a, button')].filter((element) => !element.textContent.trim()).length,
      focused: document.activeElement === inputs[0],
      zoomable: !/user-scalable|maximum-scale/.test(document.querySelector('meta[name=viewport]').content),
    };
  });
  assert.equal(found.lang, 'en');
  assert.ok(found.title.trim(), 'a title');
  assert.deepEqual([found.headings, found.main], [1, 1]);
  assert.deepEqual([found.unlabelled, found.dangling, found.nameless], [[], [], 0]);
  assert.equal(new Set(found.ids).size, found.ids.length, 'ids are there once');
  assert.ok(found.focused && found.zoomable);
  // By keyboard alone, with a focus that shows.
  const visited = [];
  for (let step = 0; step < 8; step += 1) {
    const at = await page.evaluate(() => {
      const { style, element } = { element: document.activeElement, style: getComputedStyle(document.activeElement) };
      return { tag: element.tagName, name: element.name ?? '', outline: style.outlineStyle };
    });
    if (at.tag === 'BODY') break;
    assert.notEqual(at.outline, 'none', `${at.tag} ${at.name} shows its focus`);
    visited.push(at.tag);
    await page.keyboard.press('Tab');
  }
  assert.ok(visited.includes('BUTTON') && visited.includes('A'), visited.join());
  await page.setViewportSize({ width: 320, height: 480 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 320), 'narrow screens need not scroll sideways');
}

for (const javaScriptEnabled of [true, false]) {
  const who = javaScriptEnabled ? 'ada' : 'bob';
  test(`signing up and in ${javaScriptEnabled ? 'with' : 'without'} scripts`, async (t) => {
    const page = await open(t, { javaScriptEnabled });
    await page.getByRole('link', { name: 'Make an account' }).click();
    await page.getByLabel('E-mail').fill(`${who}@example.org`);
    await page.getByLabel('Username (optional)').fill(who);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Make the account' }).click();
    assert.equal((await me(await landed(page))).username, who);
    const cookies = await page.context().cookies();
    const [refresh] = cookies.filter((cookie) => cookie.name === 'refresh_token');
    assert.ok(refresh.httpOnly && refresh.sameSite === 'Lax');

    const again = await open(t, { javaScriptEnabled });
    await again.getByLabel('E-mail or username').fill(who);
    await again.getByLabel('Password').fill('a wrong password');
    const refused = again.waitForResponse((response) => response.request().method() === 'POST');
    await again.getByRole('button', { name: 'Sign in' }).click();
    assert.equal((await refused).status(), 401);
    assert.match(await again.getByRole('alert').textContent(), /not right/);
    assert.equal(await again.getByLabel('E-mail or username').inputValue(), who, 'what was typed stays');
    assert.equal(await again.getByLabel('Password').inputValue(), '', 'the password does not');
    await again.getByLabel('Password').fill(PASSWORD);
    await again.keyboard.press('Enter');
    assert.equal((await me(await landed(again))).username, who);
    assert.deepEqual([page.problems, again.problems], [[], []]);
  });
}

test('the pages are for everybody', async (t) => {
  const page = await open(t);
  await accessible(page);
  await page.getByRole('link', { name: 'Make an account' }).click();
  await page.getByRole('button', { name: 'Make the account' }).waitFor();
  await accessible(page);
});

test('another site cannot send the form', async (t) => {
  const victim = await open(t);
  const form = await victim.locator('form').evaluate((element) => Object.fromEntries(new FormData(element)));
  const action = await victim.locator('form').evaluate((element) => element.action);
  // An attacker's form, with his own parameters, in the victim's browser.
  const attacker = await open(t);
  const his = await attacker.locator('form').evaluate((element) => Object.fromEntries(new FormData(element)));
  for (const fields of [form, his]) {
    const inputs = Object.entries({ ...fields, name: 'ada', password: PASSWORD })
      .map(([name, value]) => `<input name="${name}" value="${value}">`).join('');
    const evil = await victim.context().newPage();
    await evil.setContent(`<form method="post" action="${action}">${inputs}<button>Win a prize</button></form>`);
    const answered = evil.waitForResponse((response) => response.request().method() === 'POST');
    await evil.getByRole('button').click();
    assert.equal((await answered).status(), 403);
  }
  const cookies = await victim.context().cookies();
  assert.deepEqual(cookies.filter((cookie) => cookie.name === 'refresh_token'), []);
});

test('through the provider', async (t) => {
  const page = await open(t);
  await page.getByRole('link', { name: 'sign in with Example SSO' }).click();
  await page.waitForURL(`${provider}/**`);
  await page.locator('input[name=login]').fill('carol');
  await page.locator('input[name=password]').fill('any');
  await page.locator('button[type=submit]').click();
  await page.locator('input[name=prompt][value=consent]').waitFor({ state: 'attached' });
  await page.locator('button[type=submit]').click();
  const carol = await me(await landed(page));
  assert.deepEqual([carol.subject, carol.email, carol.roles], ['carol', 'carol@example.org', ['user']]);
});
