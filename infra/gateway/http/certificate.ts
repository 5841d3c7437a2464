/** The certificate of the TLS listeners: read, checked, and read again when its files change. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { errorText, GatewayError } from '../../kernel/errors.ts';
import type { Closeable } from '../../kernel/lifecycle.ts';
import type { Logger } from '../../kernel/logger.ts';

/** Files of a certificate, PEM. */
export type CertificateFiles = { readonly certificateFile: string; readonly keyFile: string };

/** A certificate whose key fits. */
export type Certificate = {
  /** What `tls` servers are given. */
  readonly context: {
    readonly cert: Buffer;
    readonly key: Buffer;
    readonly minVersion: 'TLSv1.2';
  };
  readonly names: string;
  readonly validTo: Date;
};

/**
 * Reads the certificate.
 *
 * @throws GatewayError `bad_config` naming the file at fault
 */
export async function loadCertificate(files: CertificateFiles): Promise<Certificate> {
  const [cert, key] = await Promise.all([
    readPem('tls.certificateFile', files.certificateFile),
    readPem('tls.keyFile', files.keyFile),
  ]);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch (error) {
    throw fault(`tls.certificateFile ${files.certificateFile} holds no certificate`, error);
  }
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(key))) {
      throw new Error('it is the key of another certificate');
    }
    createSecureContext({ cert, key });
  } catch (error) {
    throw fault(`tls.keyFile ${files.keyFile} does not fit the certificate`, error);
  }
  return {
    context: { cert, key, minVersion: 'TLSv1.2' },
    names: certificate.subjectAltName ?? certificate.subject.replaceAll('\n', ', '),
    validTo: certificate.validToDate,
  };
}

/** Warns of a certificate that no client accepts, or soon none will. */
export function certificateWarning({ validTo }: Certificate, nowMs: number): string | undefined {
  const days = (validTo.getTime() - nowMs) / 86_400_000;
  if (days < 0) {
    return `the certificate expired on ${validTo.toISOString()}`;
  }
  return days < WARN_DAYS ? `the certificate expires in ${Math.floor(days)} days` : undefined;
}

/**
 * Looks at the files every `intervalMs` and gives `onChange` what they hold now. A pair that does
 * not fit (one file is newer than the other) is left alone until it does.
 */
export function watchCertificate(
  files: CertificateFiles,
  logger: Logger,
  onChange: (certificate: Certificate) => void,
  intervalMs = 10_000,
): Closeable {
  const reload = (): void => {
    loadCertificate(files).then(
      (certificate) => {
        logger.info({ validTo: certificate.validTo.toISOString() }, 'certificate renewed');
        onChange(certificate);
      },
      (error: unknown) => {
        logger.warn({ error: errorText(error) }, 'certificate changed; the old one is kept');
      },
    );
  };
  const watched = [files.certificateFile, files.keyFile];
  for (const file of watched) {
    watchFile(file, { interval: intervalMs, persistent: false }, reload);
  }
  return {
    async close() {
      for (const file of watched) {
        unwatchFile(file, reload);
      }
      await Promise.resolve();
    },
  };
}

const WARN_DAYS = 14;

async function readPem(setting: string, file: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    throw fault(`cannot read ${setting}`, error);
  });
}

function fault(what: string, error: unknown): GatewayError {
  return new GatewayError('bad_config', `${what}: ${errorText(error)}`, { cause: error });
}
