/** A certificate of this run, and one HTTP/2 request with it. */
import { execFile } from 'node:child_process';
import { connect, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A self-signed certificate for 127.0.0.1 with its key, in a directory of its own. */
export async function makeCertificate(): Promise<{
  readonly directory: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}> {
  const directory = await mkdtemp(join(tmpdir(), 'gs-tls-'));
  const certificateFile = join(directory, 'certificate.pem');
  const keyFile = join(directory, 'key.pem');
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', keyFile, '-out', certificateFile],
  ]);
  return { directory, certificateFile, keyFile };
}

/** The answer to a GET over HTTP/2 of a server with that certificate. */
export async function getHttp2(
  url: string,
  certificateFile: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
  readonly body: Buffer;
}> {
  const { origin, pathname, search } = new URL(url);
  const session = connect(origin, { ca: await readFile(certificateFile) });
  try {
    const stream = session.request({ ':path': pathname + search, ...headers });
    const answered = new Promise<IncomingHttpHeaders & IncomingHttpStatusHeader>(
      (resolve, reject) => {
        stream.once('response', resolve);
        stream.once('error', reject);
        session.once('error', reject);
      },
    );
    const [answer, body] = await Promise.all([answered, buffer(stream)]);
    return { headers: answer, body };
  } finally {
    session.destroy();
  }
}
