// Classifies uploaded images: node examples/serve/server.mjs my-student [--port 8080]
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { DataError, loadClassifier } from 'srrl';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { port: { type: 'string', default: '8080' } },
});
const [student] = positionals;
if (student === undefined) {
  console.error('Usage: node server.mjs STUDENT [--port 8080]\nSTUDENT is a run folder, or a folder of srrl export.');
  process.exit(2);
}
const largestUpload = 20e6;
const page = readFileSync(new URL('page.html', import.meta.url));
// Uploads that arrive within 10 ms share a batch.
const classify = await loadClassifier(student, { topK: 5, maxDelayMs: 10 });

/** The body of a request; undefined where it is too large. */
async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size <= largestUpload) parts.push(part);
  }
  return size <= largestUpload ? Buffer.concat(parts) : undefined;
}

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const server = createServer(async (request, response) => {
  try {
    const route = `${request.method} ${new URL(request.url ?? '/', 'http://server').pathname}`;
    if (route === 'GET /') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
    } else if (route === 'GET /student') {
      answer(response, 200, { model: classify.card.model, classes: classify.classes });
    } else if (route === 'POST /classify') {
      const bytes = await bodyOf(request);
      if (!bytes) return answer(response, 413, { error: `An upload may have ${largestUpload} bytes.` });
      answer(response, 200, { predictions: await classify(bytes, { name: 'the upload' }) });
    } else {
      answer(response, 404, { error: `There is no ${route}.` });
    }
  } catch (error) {
    // What is not an image is the sender's error; anything else is worth a line in the log.
    const isTheirs = error instanceof DataError;
    if (!isTheirs) console.error(error);
    if (!response.headersSent) answer(response, isTheirs ? 415 : 500, { error: error.message });
  }
});
server.listen(Number(values.port), () => console.log(`http://localhost:${server.address().port}`));

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    // Requests that are being answered are answered first.
    server.close(() => classify.close());
    server.closeIdleConnections();
  });
