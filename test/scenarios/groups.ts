// Sends all members of all groups away and deletes the groups, so that the next scenario finds none.

type Ask = (api: string, version: number, body: object) => Promise<any>

const DESCRIBE: { readonly [type: string]: readonly [api: string, version: number, heartbeat: string] } = {
  consumer: ['ConsumerGroupDescribe', 1, 'ConsumerGroupHeartbeat'],
  share: ['ShareGroupDescribe', 1, 'ShareGroupHeartbeat'],
  streams: ['StreamsGroupDescribe', 0, 'StreamsGroupHeartbeat'],
}
const [LEAVES, AN_EPOCH] = [-1, 1]

export async function emptyGroups(ask: Ask): Promise<void> {
  const { groups } = await ask('ListGroups', 5, { statesFilter: [], typesFilter: [] })
  for (const { groupId, groupType } of groups) {
    const type = String(groupType).toLowerCase()
    if (type in DESCRIBE) await sendAway(ask, groupId, DESCRIBE[type]!)
    else await sendClassicAway(ask, groupId)
  }
  if (groups.length > 0) await ask('DeleteGroups', 2, { groupsNames: groups.map((group: any) => group.groupId) })
}

async function sendAway(ask: Ask, groupId: string, [api, version, heartbeat]: readonly [string, number, string]): Promise<void> {
  const described = await ask(api, version, { groupIds: [groupId] })
  for (const { memberId } of described.groups[0].members)
    await ask(heartbeat, heartbeat.startsWith('Streams') ? 0 : AN_EPOCH, { groupId, memberId, memberEpoch: LEAVES })
}

async function sendClassicAway(ask: Ask, groupId: string): Promise<void> {
  const described = await ask('DescribeGroups', 5, { groups: [groupId] })
  const members = described.groups[0].members.map(({ memberId, groupInstanceId }: any) => ({ memberId, groupInstanceId }))
  if (members.length > 0) await ask('LeaveGroup', 5, { groupId, members })
}
