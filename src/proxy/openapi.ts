// The admin API as OpenAPI describes APIs, printed from the table of its routes.

import { z } from 'zod'
import { KeptAnswer, KeptState } from './admin-kept.ts'
import type { Route } from './admin-routes.ts'
import { ROUTES } from './admin-routes.ts'
import { Answer, Extension, Id, Page, Problem, Reason, Request, Step } from './admin-shapes.ts'

const REFUSALS: Readonly<Record<string, string>> = {
  400: 'The body or the query is not what it must be.',
  401: 'There is no token, or none that is accepted.',
  403: 'The token lacks the scope, or the caller may not do this.',
  404: 'There is no such subscription, or the caller may not see it.',
  409: 'The subscription, or another one, is in the way.',
  413: 'The body is too large.',
  415: 'The body is not application/json.',
  421: 'The request calls the server by a name that is not its own.',
  422: 'The request means something that cannot be.',
  429: 'The caller has asked for too many subscriptions within a day.',
  501: 'Subscriptions need the OpenFGA engine, and a model that knows them.',
  503: 'The issuer or OpenFGA does not answer, or others write at the same time: try again.',
}

/** OpenAPI 3.1. */
export function openApi(version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of ROUTES) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route)
  return {
    openapi: '3.1.0',
    info: {
      title: 'TopicGate admin API',
      version,
      description:
        'Subscriptions: who consumes which topic with which group, for which organization, until when; and what a gate keeps of a principal.',
    },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'Of a configured issuer, with the scope of admin.auth.',
        },
      },
      schemas: schemas(),
      responses: Object.fromEntries(Object.entries(REFUSALS).map(([status, text]) => [status, refusal(text)])),
    },
  }
}

function operationOf({ api, summary, input, output, status, method, path }: Route): object {
  const inPath = path.includes('{id}') ? [{ name: 'id', in: 'path', required: true, schema: jsonOf(Id) }] : []
  const parameters = [...inPath, ...(method === 'GET' && input !== null ? queryOf(input) : [])]
  const done = { description: 'Done.', content: { 'application/json': { schema: refTo(output) } } }
  const refusals = Object.keys(REFUSALS).map(refused => [refused, { $ref: `#/components/responses/${refused}` }])
  return {
    operationId: api.slice(api.indexOf('.') + 1),
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(method === 'POST' && input !== null && { requestBody: bodyOf(input) }),
    responses: { [status]: done, ...Object.fromEntries(refusals) },
  }
}

const bodyOf = (input: z.ZodType): object => ({
  required: !input.safeParse({}).success,
  content: { 'application/json': { schema: refTo(input) } },
})

const refusal = (description: string): object => ({
  description,
  content: { 'application/problem+json': { schema: refTo(Problem) } },
})

const SCHEMAS = { Subscription: Answer, Step, Page, Kept: KeptAnswer, KeptState, Request, Reason, Extension, Problem }
const uri = (name: string): string => `#/components/schemas/${name}`
const refTo = (schema: z.ZodType): object => ({ $ref: uri(Object.entries(SCHEMAS).find(([, one]) => one === schema)![0]) })

function schemas(): object {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id })
  const { schemas: all } = z.toJSONSchema(registry, { io: 'input', uri })
  return Object.fromEntries(Object.keys(SCHEMAS).map(name => [name, withoutNames(all[name]!)]))
}

function queryOf(input: z.ZodType): object[] {
  const { properties, required } = jsonOf(input) as { properties: Record<string, { description?: string }>; required?: string[] }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required?.includes(name) ?? false,
    ...(description !== undefined && { description }),
    schema,
  }))
}

const jsonOf = (schema: z.ZodType): object => withoutNames(z.toJSONSchema(schema, { io: 'input' }))

function withoutNames({ $schema: _schema, $id: _id, ...json }: object & { $schema?: string; $id?: string }): object {
  return json
}
