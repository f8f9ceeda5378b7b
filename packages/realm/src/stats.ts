/** What a realm counts; the names of its metrics without the prefix. */
export interface RealmStats {
  readonly nodes_registered: number;
  readonly nodes_up: number;
  readonly signaling_connections: number;
  readonly signaling_messages_total: number;
  readonly signaling_refused_total: number;
  readonly signaling_replaced_total: number;
  readonly relayed_total: number;
  readonly relay_pairs: number;
  readonly ais_requests_total: number;
  readonly ais_refused_total: number;
  readonly registrations_total: number;
  readonly renewals_total: number;
  readonly key_id: number;
}
