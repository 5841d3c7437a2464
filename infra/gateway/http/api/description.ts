/** `/api` and `/api/openapi.json`: the API describes itself, these two routes among the rest. */
import { apiPage, openApi } from './openApi.ts';
import { type Route, sendJson } from './route.ts';

/** Adds the routes that describe `routes` and themselves. @param version of the gateway */
export function withDescription(routes: readonly Route[], version: string): readonly Route[] {
  const about = { tag: 'operations', access: 'anyone', method: 'get' } as const;
  const document = (): ReturnType<typeof openApi> => openApi(all, version);
  const sendDocument: Route['handle'] = ({ response }) => {
    sendJson(response, 200, document());
  };
  const answers = { 200: { description: 'The document.', type: 'application/json' } };
  const all: readonly Route[] = [
    ...routes,
    {
      ...about,
      path: '/api',
      summary: 'This API for people',
      answers: { 200: { description: 'The page.', type: 'text/html' } },
      handle({ response }) {
        response
          .set('Cache-Control', 'no-store')
          .set('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
          .type('html')
          .send(apiPage(document()));
      },
    },
    { ...about, path: '/api/openapi.json', summary: 'OpenAPI 3.1', answers, handle: sendDocument },
    {
      ...about,
      path: '/api/api-definition',
      summary: "The same where Wilbur's is",
      answers,
      handle: sendDocument,
    },
  ];
  return all;
}
