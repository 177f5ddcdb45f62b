/** Shards in a bucket, behind a server that checks signatures. */
// cspell:ignore AKIAIOSFODNN examplebucket
import { execFileSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signedRequest } from '../../../src/data/remote/s3.js';
import { openDataset } from '../../../src/index.js';
import { type Asked, FileServer } from '../../helpers/file-server.js';
import { contentOf, makeShards } from './shards.js';

interface Signed {
  path: string;
  headers: Record<string, string | string[] | undefined>;
}

/** Signature Version 4 of a GET request, by the documentation of S3 (sig-v4-header-based-auth). */
function signatureOf({ path, headers }: Signed, names: string[], region: string, secret: string): string {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const time = String(headers['x-amz-date']);
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const lines = names.map((name) => `${name}:${String(headers[name]).trim()}\n`).join('');
  const request = ['GET', path, '', lines, names.join(';'), headers['x-amz-content-sha256']].join('\n');
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(request)].join('\n');
  const key = scope.split('/').reduce<Buffer | string>((made, part) => hmac(made, part), `AWS4${secret}`);
  return hmac(key, text).toString('hex');
}

const [id, secret] = ['AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'];

function isSigned({ url, headers, authorization = '' }: Asked, region: string): boolean {
  const [, credential, names = '', signature] =
    authorization.match(/^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=(\w+)$/) ?? [];
  const scope = `${String(headers['x-amz-date']).slice(0, 8)}/${region}/s3/aws4_request`;
  if (credential !== `${id}/${scope}` || !names.includes('host')) return false;
  return signature === signatureOf({ path: url, headers }, names.split(';'), region, secret);
}

const root = mkdtempSync(join(tmpdir(), 'srrl-s3-'));
let server: FileServer;
const before = { ...process.env };

beforeAll(async () => {
  await makeShards(join(root, 'my.bucket', 'a folder'), 2, 4, 0);
  server = await FileServer.over(root);
  // Before the thread begins that reads: it has them from then on.
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_S3: `${server.url}/`,
    AWS_ACCESS_KEY_ID: id,
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_SESSION_TOKEN: 'a-token',
    AWS_REGION: 'eu-north-1',
  });
});
afterAll(async () => {
  process.env = before;
  await server.close();
  rmSync(root, { recursive: true });
});

const source = 's3://my.bucket/a folder/{train,val}-{000..001}.tar?size=24';

describe('a bucket', () => {
  it('checks signatures here as the documentation of S3 does', () => {
    const headers = {
      host: 'examplebucket.s3.amazonaws.com',
      range: 'bytes=0-9',
      'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'x-amz-date': '20130524T000000Z',
    };
    expect(signatureOf({ path: '/test.txt', headers }, Object.keys(headers), 'us-east-1', secret)).toBe(
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    );
  });

  it('is read by signed requests, and its credentials are nowhere else', async () => {
    server.fault = (asked) =>
      isSigned(asked, 'eu-north-1') && asked.headers['x-amz-security-token'] === 'a-token'
        ? undefined
        : { status: 403 };
    const data = await openDataset(`shards:${source}`, { shardCache: join(root, 'cache'), shardRetries: 0 });
    const local = await openDataset(`shards:${join(root, 'my.bucket', 'a folder')}?size=24`);
    expect(await contentOf(data, 'train')).toEqual(await contentOf(local, 'train'));
    expect(data.source).toBe(`shards:${source}`);
    server.fault = () => ({ status: 403 });
    const refused = openDataset(`shards:${source}`, { shardCache: join(root, 'other'), shardRetries: 0 });
    await expect(refused).rejects.toThrow(/s3:\/\/my\.bucket\/a%20folder\/.*403.*AWS_ACCESS_KEY_ID/);
    await refused.catch(({ message }) => expect(message).not.toMatch(/EXAMPLE|token/));
    server.fault = () => ({ status: 301, headers: { 'x-amz-bucket-region': 'us-west-2' } });
    await expect(openDataset(`shards:${source}`, { shardRetries: 0 })).rejects.toThrow(/set AWS_REGION=us-west-2/);
  });

  it('that is public needs no credentials, and lies at AWS where no endpoint is set', async () => {
    const [{ AWS_ENDPOINT_URL_S3, AWS_SECRET_ACCESS_KEY }] = [process.env];
    delete process.env.AWS_ENDPOINT_URL_S3;
    delete process.env.AWS_SECRET_ACCESS_KEY;
    expect(await signedRequest('s3://bucket/a/b.tar')).toEqual({
      url: 'https://bucket.s3.eu-north-1.amazonaws.com/a/b.tar',
      headers: {},
    });
    expect((await signedRequest('s3://my.bucket/b.tar')).url).toBe(
      'https://s3.eu-north-1.amazonaws.com/my.bucket/b.tar',
    );
    Object.assign(process.env, { AWS_ENDPOINT_URL_S3, AWS_SECRET_ACCESS_KEY });
  });

  it('needs a package, and says which where it is missing', () => {
    const program = `
      import { register } from 'node:module';
      register('data:text/javascript,' + encodeURIComponent(
        'export const resolve = (name, context, next) => { if (name === "aws4fetch") throw new Error("not found"); return next(name, context); }'));
      const { signedRequest } = await import('${new URL('../../../dist/data/remote/s3.js', import.meta.url).href}');
      await signedRequest('s3://bucket/a.tar').catch(({ message }) => console.log(message));`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    expect(said).toMatch(/needs the package aws4fetch .*npm install aws4fetch/);
  });
});
