// What a resource of a config request is judged as: org.apache.kafka.common.config.ConfigResource.Type.

import { CLUSTER_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED } from '../answers.ts'
import { Resource } from '../authorizer.ts'
import { clusterName, type Judging } from '../judging.ts'
import type { Name } from '../names.ts'

export const ConfigType = { Topic: 2, Broker: 4, BrokerLogger: 8, ClientMetrics: 16, Group: 32 } as const

export interface ConfigResource {
  readonly resourceType: number
  readonly resourceName: string
}

/** Of every other type nothing is known, neither whom it concerns nor who may ask. */
export const isKnown = ({ resourceType }: ConfigResource): boolean => (Object.values(ConfigType) as number[]).includes(resourceType)

/** What the right must be on: the topic or group, else the cluster. */
export function judgedAs({ resourceType, resourceName }: ConfigResource, { caller }: Judging): Name {
  if (resourceType === ConfigType.Topic) return caller.names.text(Resource.Topic, resourceName)
  if (resourceType === ConfigType.Group) return caller.names.text(Resource.Group, resourceName)
  return clusterName(caller)
}

export function refusedAs({ resourceType }: ConfigResource): number {
  if (resourceType === ConfigType.Topic) return TOPIC_AUTHORIZATION_FAILED
  return resourceType === ConfigType.Group ? GROUP_AUTHORIZATION_FAILED : CLUSTER_AUTHORIZATION_FAILED
}
