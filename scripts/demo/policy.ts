// The demo's policy file: ten lines of grants, and one that comes and goes.

/** How the demo's people are called in a policy: they differ between the development issuer and Keycloak. */
export interface Names {
  readonly orders: string
  readonly billing: string
  readonly shipping: string
  readonly auditors: string
}

export function policyText(names: Names, { shipping }: { readonly shipping: boolean }): string {
  return `# Who may do what. TopicGate takes up changes of this file by itself: try one.
version: 1
grants:
  - id: catalogue
    to: anyone
    allow: observe
    topics: ["orders.*"]
    consumerGroups: ["audit-*"]
  - id: orders-write
    to: "${names.orders}"
    allow: produce
    topics: ["orders.*"]
  - id: auditors-read
    to: "${names.auditors}"
    allow: consume
    topics: ["orders.*"]
    consumerGroups: ["audit-*"]
  - id: billing-write
    to: "${names.billing}"
    allow: produce
    topics: [orders.created]
  - id: billing-sees-payments
    to: "${names.billing}"
    allow: observe
    topics: ["payments.*"]
  - id: shipping-sees
    to: "${names.shipping}"
    allow: observe
    topics: ["shipments.*"]
${shipping ? SHIPPING_WRITE.replace('NAME', names.shipping) : ''}`
}

const SHIPPING_WRITE = `  - id: shipping-write
    to: "NAME"
    allow: produce
    topics: ["shipments.*"]
`
