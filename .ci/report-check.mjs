// Opens pages in Chromium and looks at them as .ci/report-check says.
import { chromium } from 'playwright-core';
import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const args = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
const faults = [];
for (const file of process.argv.slice(2)) {
  for (const [width, mobile] of [[1280, false], [375, true]]) {
    for (const scheme of ['light', 'dark']) {
      const where = `${file} at ${width} px, ${scheme}`;
      const context = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), 'report-')), {
        executablePath: '/usr/bin/chromium', headless: true, args,
        viewport: { width, height: mobile ? 812 : 900 }, isMobile: mobile, hasTouch: mobile, colorScheme: scheme,
      });
      const page = context.pages()[0] ?? await context.newPage();
      const own = pathToFileURL(resolve(file)).href;
      page.on('request', (request) => {
        if (request.url() !== own) faults.push(`${where}: asks for ${request.url().slice(0, 100)}`);
      });
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) faults.push(`${where}: ${message.text()}`);
      });
      page.on('pageerror', (error) => faults.push(`${where}: ${error}`));
      await page.goto(own);
      const seen = await page.evaluate(() => {
        const root = document.documentElement;
        const figures = [...document.querySelectorAll('figure')].map((figure) => {
          const picture = figure.querySelector('svg')?.getBoundingClientRect();
          const link = figure.querySelector('a[download]');
          return {
            id: figure.id,
            drawn: Boolean(picture && picture.width > 200 && picture.height > 40),
            named: Boolean(figure.querySelector('svg > title')?.textContent),
            data: Boolean(link?.href.startsWith('data:text/csv')),
          };
        });
        return {
          wide: root.scrollWidth - root.clientWidth,
          figures,
          ground: getComputedStyle(document.body).backgroundColor,
          data: [...document.querySelectorAll('script')].map((s) => [s.type, typeof JSON.parse(s.textContent)]),
        };
      });
      if (seen.wide > 0) faults.push(`${where}: ${seen.wide} px too wide`);
      if (seen.figures.length === 0) faults.push(`${where}: no figures`);
      for (const figure of seen.figures) {
        if (!(figure.drawn && figure.named && figure.data)) faults.push(`${where}: ${JSON.stringify(figure)}`);
      }
      for (const [type, what] of seen.data) {
        if (type !== 'application/json' || what !== 'object') faults.push(`${where}: a script of type ${type}`);
      }
      const light = seen.ground.match(/\d+/g).map(Number).reduce((a, b) => a + b, 0) > 380;
      if (light !== (scheme === 'light')) faults.push(`${where}: the ground is ${seen.ground}`);
      if (!mobile && scheme === 'light') {
        await page.pdf({ path: `${file}.pdf`, format: 'A4' });
        if (statSync(`${file}.pdf`).size < 20000) faults.push(`${file}: prints as next to nothing`);
      }
      await context.close();
    }
  }
}
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
console.log(`${process.argv.length - 2} pages look as they should`);
