import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { addressOf, expandBraces, nextTo, splitQuery, withoutSecrets } from '../../../src/data/remote/address.js';
import { DataError } from '../../../src/index.js';

const bash = (pattern: string): string[] =>
  execFileSync('bash', ['-c', `printf '%s\\n' ${pattern}`], { encoding: 'utf8' })
    .trim()
    .split('\n');

describe('a pattern of addresses', () => {
  it.each([
    'train-{0000..0012}.tar',
    '{train-{0..3},val-{00..2}}.tar',
    'a{b,c{d,e}}f{1..3}',
    '{3..1}x{,y}',
    '{08..11}',
    'plain.tar',
  ])('%s means what bash makes of it', (pattern) => {
    expect(expandBraces(pattern)).toEqual(bash(pattern));
  });

  it.each(['a{0..b}', 'a{1}', 'a{b', '{0..999999}', '{0..999}{0..999}'])('%s is refused', (pattern) => {
    expect(() => expandBraces(pattern)).toThrow(DataError);
  });
});

describe('an address', () => {
  const text = 'https://user:my%20word@host:8443/a/train-0.tar?X-Amz-Signature=abc&X-Amz-Date=1';

  it('is shown without user, password and query', () => {
    const address = addressOf(text);
    expect(address.shown).toBe('https://host:8443/a/train-0.tar');
    expect(address.url).toBe('https://host:8443/a/train-0.tar?X-Amz-Signature=abc&X-Amz-Date=1');
    expect(address.authorization).toBe(`Basic ${Buffer.from('user:my word').toString('base64')}`);
    expect(nextTo(address, 'classes.txt').shown).toBe('https://host:8443/a/classes.txt');
  });

  it.each(['ftp://host/a.tar', 'file:///etc/passwd', 'https://', 'http://a b/c'])('%s is refused', (wrong) => {
    expect(() => addressOf(wrong)).toThrow(DataError);
  });

  it('in any text loses what is secret in it', () => {
    const line = `srrl distill --data 'shards:${text}&size=64' --out a@b?c=d`;
    expect(withoutSecrets(line)).toBe(
      "srrl distill --data 'shards:https://host:8443/a/train-0.tar?size=64' --out a@b?c=d",
    );
    expect(withoutSecrets('shards:s3://bucket/{train-{0..1},val-0}.tar')).toBe(
      'shards:s3://bucket/{train-{0..1},val-0}.tar',
    );
  });

  it('keeps in its query what is the server’s', () => {
    expect(splitQuery('https://h/a.tar?sv=1&size=64&sig=a%2Bb')).toEqual({
      address: 'https://h/a.tar?sv=1&sig=a%2Bb',
      query: 'size=64',
    });
    expect(() => splitQuery('https://h/a.tar?sizes=64')).toThrow(/Unknown option 'sizes'.*Did you mean size/);
  });
});
