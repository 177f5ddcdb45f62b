/** Signs requests for `s3://bucket/key` with the usual AWS environment variables. */
import { DataError, messageOf } from '../../errors.js';

interface Request {
  url: string;
  headers: Record<string, string>;
}

type Signing = typeof import('aws4fetch');

/** Returns the URL of an object: at AWS, or at the endpoint of another S3-compatible server. */
function placeOf(bucket: string, key: string, region: string): string {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  const endpoint = AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL;
  // AWS certificates do not cover bucket names that contain dots.
  const base = endpoint
    ? `${endpoint.replace(/\/$/, '')}/${bucket}`
    : bucket.includes('.')
      ? `https://s3.${region}.amazonaws.com/${bucket}`
      : `https://${bucket}.s3.${region}.amazonaws.com`;
  return `${base}/${key}`;
}

/** Builds the request for an object; unsigned, as for public buckets, if the environment has no credentials. */
export async function signedRequest(address: string): Promise<Request> {
  const { hostname: bucket, pathname } = new URL(address);
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  const region = AWS_REGION || AWS_DEFAULT_REGION || 'us-east-1';
  const url = placeOf(bucket, pathname.slice(1), region);
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return { url, headers: {} };
  const { AwsV4Signer } = await signing();
  const signer = new AwsV4Signer({
    url,
    service: 's3',
    region,
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
  });
  const signed = await signer.sign();
  const all = Object.fromEntries(signed.headers as unknown as Iterable<[string, string]>);
  // fetch() sets this header itself.
  delete all.host;
  return { url: signed.url.href, headers: all };
}

async function signing(): Promise<Signing> {
  try {
    return await import('aws4fetch');
  } catch (error) {
    throw new DataError(
      `s3:// with credentials needs the package aws4fetch (${messageOf(error)}). Install it: npm install aws4fetch`,
      { cause: error },
    );
  }
}
