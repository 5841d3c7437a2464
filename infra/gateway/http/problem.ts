/** Errors of the API: RFC 9457 problem details, with every fault of a body at once. */
import { STATUS_CODES } from 'node:http';
import type { Response } from 'express';
import type { z } from 'zod';

/** One fault of a body: where (JSON pointer, RFC 6901) and what. */
export type BodyFault = { readonly pointer: string; readonly detail: string };

/** What went wrong, as the client is told. */
export type Problem = {
  readonly status: number;
  readonly title?: string;
  readonly detail: string;
  readonly errors?: readonly BodyFault[];
};

/** Answers with the problem. */
export function sendProblem(response: Response, { status, title, detail, errors }: Problem): void {
  response
    .status(status)
    .set('Cache-Control', 'no-store')
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: 'about:blank',
        title: title ?? STATUS_CODES[status] ?? 'Error',
        status,
        detail,
        errors,
      }),
    );
}

/** What is wrong with a body that a schema refused. */
export function bodyProblem(error: z.ZodError): Problem {
  const errors = error.issues.map(({ path, message }) => ({
    pointer: path.map((key) => `/${escapePointer(String(key))}`).join(''),
    detail: message,
  }));
  return {
    status: 422,
    title: 'Unprocessable body',
    detail: errors.map((one) => `${one.pointer || 'the body'}: ${one.detail}`).join('; '),
    errors,
  };
}

function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
