/** The certificate of this process and all who use it: a renewed one reaches each of them. */
import type { Certificate } from './certificate.ts';

/** Something that a renewed certificate is given to. */
export type CertificateUser = { renew(certificate: Certificate): void };

/** The certificate that holds now. */
export type Certificates = {
  current(): Certificate;
  /** Tells `user` of each renewal. */
  use(user: CertificateUser): void;
};

/** Keeps the certificate and its users. */
export function createCertificates(
  first: Certificate,
): Certificates & { renew(certificate: Certificate): void } {
  let current = first;
  const users: CertificateUser[] = [];
  return {
    current: () => current,
    use(user) {
      users.push(user);
    },
    renew(certificate) {
      current = certificate;
      users.forEach((user) => user.renew(certificate));
    },
  };
}
